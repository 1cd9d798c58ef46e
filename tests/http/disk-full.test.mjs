// SPDX-License-Identifier: Apache-2.0
// A store whose file system has no room, no inodes, a limit on the size of files, or has become read-only.
// What is there is served, removing works, and publishing works again when there is room, all of that
// without a restart.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';

import { asService, Daemon, NO_FORMS, startDaemon, until } from '../lib/daemon.mjs';
import { assertProblem, get } from '../lib/http.mjs';
import { loop, mayMount, must, tmpfs } from '../lib/mount.mjs';
import { assertExact, assertSound, modeld, Writer } from '../lib/writer.mjs';

const MIB = 1 << 20;
const SIZES = [MIB, 100_000, 10_000, 300]; // of a companion file, until not even the last has room

async function fill(writer, daemon) {
	let published = 0;
	for (const companion of SIZES) {
		let answered = { status: 201 };
		for (let n = 0; n < 2000 && answered.status === 201; n++) {
			const model = writer.newModel({ companion });
			answered = await writer.send(daemon, { kind: 'publish', model });
			if (answered.status === 201) {
				writer.take({ kind: 'publish', model }, answered.json);
				published++;
			}
		}
		assertProblem(answered, 507, 'STORAGE_FULL');
		await until('what was refused to be gone', () => daemon.files('tmp').length === 0);
	}
	return published;
}

const options = (store, set = {}) => ({ store: path.join(store, 's'), wrapper: asService,
	set: { ...NO_FORMS, 'store.min_free': '0', 'limits.file': '64MiB', ...set } });

if (mayMount(import.meta.url)) {
	describe('a full disk', () => {
		async function serveOn(t, mount, set) {
			const daemon = await startDaemon(t, options(mount, set));
			return { daemon, writer: new Writer('full', 1) };
		}

		async function assertRecovers(daemon, writer) {
			const upload = await writer.stage(daemon, [3000], 5000).catch(() => null); // 507, most likely
			assert.ok(upload || writer.pending);
			writer.pending = null;
			await writer.check(daemon, { all: true });
			// Removing works: of versions, and then of their blobs.
			const versions = [...writer.live.keys()].filter((version) => version !== writer.labels.get('stable'));
			for (const version of versions.slice(0, Math.max(4, versions.length / 2))) {
				await writer.apply(daemon, { kind: 'delete', version });
			}
			const swept = await modeld(daemon.store, 'gc', '--grace', '0');
			assert.equal(swept.code, 0, swept.stderr);
			await writer.apply(daemon, { kind: 'publish', model: writer.newModel({ companion: 1000 }) });
			await writer.apply(daemon, { kind: 'label', label: 'stable', version: writer.highest });
			await writer.check(daemon, { all: true });
			await assertExact(daemon, [writer]);
		}

		test('is 507, and what is removed makes room without a restart', async (t) => {
			const { daemon, writer } = await serveOn(t, tmpfs(t, 'size=20m'));
			t.diagnostic(`${await fill(writer, daemon)} versions`);
			await assertRecovers(daemon, writer);
			await fill(writer, daemon);
			await assertRecovers(daemon, writer);
			await daemon.stop();
			await assertSound(daemon.store);
		});

		test('does not keep the daemon from starting and removing', async (t) => {
			const mount = tmpfs(t, 'size=20m');
			const { daemon, writer } = await serveOn(t, mount);
			await fill(writer, daemon);
			await daemon.stop();
			const second = await startDaemon(t, options(mount));
			await assertRecovers(second, writer);
			await fill(writer, second);
			await second.kill();
			const third = await startDaemon(t, options(mount));
			await assertRecovers(third, writer);
			await third.stop();
		});

		test('is not reached where space is to be left free', async (t) => {
			const { daemon, writer } = await serveOn(t, tmpfs(t, 'size=90m'), { 'store.min_free': '64MiB' });
			const n = await fill(writer, daemon);
			assert.ok(n > 10, String(n));
			assertProblem(await get(daemon, '/readyz'), 503, 'NOT_READY');
			await writer.apply(daemon, { kind: 'label', label: 'stable', version: 1 });
			await assertRecovers(daemon, writer);
			await daemon.stop();
		});

		test('of inodes is 507, and what is removed makes room', async (t) => {
			const { daemon, writer } = await serveOn(t, tmpfs(t, 'size=64m,nr_inodes=400'));
			t.diagnostic(`${await fill(writer, daemon)} versions`);
			await assertRecovers(daemon, writer);
			await daemon.stop();
		});

		test('of one file, by RLIMIT_FSIZE, is 507 and ends nothing', async (t) => {
			const daemon = new Daemon({ ...options(tmpfs(t, 'size=64m')), wrapper: ['prlimit', '--fsize=8388608', ...asService] });
			t.after(() => daemon.destroy());
			await daemon.start();
			const writer = new Writer('full', 1);
			await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
			const answered = await writer.send(daemon, { kind: 'publish', model: writer.newModel({ companion: 9 * MIB }) });
			assertProblem(answered, 507, 'STORAGE_FULL');
			await until('what was refused to be gone', () => daemon.files('tmp').length === 0);
			await writer.apply(daemon, { kind: 'publish', model: writer.newModel({ companion: MIB }) });
			await writer.check(daemon);
			await assertExact(daemon, [writer]);
			await daemon.stop();
		});

		test('that has become read-only serves on and refuses changes', async (t) => {
			const disk = loop(t, 64, 'ext4');
			if (!disk) {
				t.skip('no loop device can be had');
				return;
			}
			const { daemon, writer } = await serveOn(t, disk.dir);
			await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
			await writer.apply(daemon, { kind: 'publish', model: writer.newModel() });
			await writer.apply(daemon, { kind: 'open', model: writer.newModel() });
			const [upload] = writer.uploads.values();
			must('sync', '-f', disk.dir);
			// As after an error of the disk: files that are open for writing are no longer writable.
			must('mount', '-o', 'remount,abort', disk.dir);
			for (const change of [{ kind: 'publish', model: writer.newModel() }, { kind: 'label', label: 'stable', version: 1 },
				{ kind: 'delete', version: 1 }, writer.stepOf(upload), { kind: 'drop', upload }]) {
				const answered = await writer.send(daemon, change);
				assertProblem(answered, 500, 'IO_FAILED');
			}
			await writer.check(daemon, { all: true });
			assertProblem(await get(daemon, '/readyz'), 503, 'NOT_READY');
			assert.equal((await get(daemon, '/healthz')).status, 200);
			await daemon.kill();
			await disk.again();
			const second = await startDaemon(t, options(disk.dir));
			await writer.check(second, { all: true });
			await writer.finish(second);
			assert.equal((await get(second, '/readyz')).status, 200);
			await assertExact(second, [writer]);
			await second.stop();
		});
	});
}
