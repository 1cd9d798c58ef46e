// SPDX-License-Identifier: Apache-2.0
// Imports into a store whose file system has no room: they fail and say so, what is served stays, nothing is
// left behind, and the next one works when there is room.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { asService, NO_FORMS, startDaemon, until } from '../lib/daemon.mjs';
import { get, request } from '../lib/http.mjs';
import { assertHolds, FROM_HERE, imported, refused, submit, ended, versionsOf } from '../lib/imports.mjs';
import { mayMount, tmpfs } from '../lib/mount.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { assertSound, modeld } from '../lib/writer.mjs';

const MIB = 1 << 20;
const small = addGraph({ seed: 1, size: MIB / 4 });
const large = addGraph({ seed: 2, size: 8 * MIB, shardBytes: 4 * MIB }); // 32 MiB

const options = (mount, set = {}) => ({ store: `${mount}/s`, wrapper: asService,
	set: { ...FROM_HERE, ...NO_FORMS, 'store.min_free': '0', ...set } });

async function origins(t) {
	const origin = await startOrigin(t);
	origin.serve('/small', small, (bytes) => file(bytes)).serve('/large', large, (bytes) => file(bytes));
	return { origin, smallUrl: origin.url('/small/model.json'), largeUrl: origin.url('/large/model.json') };
}

async function assertRecovers(daemon, smallUrl, before) {
	await until('what had come to be gone',
		() => daemon.files('uploads').length + daemon.files('tmp').length + daemon.files('jobs').length === 0);
	assert.deepEqual(await versionsOf(daemon, 'large'), []);
	await assertHolds(daemon, 'small', 1, small.files);
	const swept = await modeld(daemon.store, 'gc', '--grace', '0');
	assert.equal(swept.code, 0, swept.stderr);
	assert.equal(daemon.files('blobs').length, before);
	await imported(daemon, 'again', smallUrl);
	await assertHolds(daemon, 'again', 1, small.files);
	await assertSound(daemon.store);
}

if (mayMount(import.meta.url)) {
	describe('an import into a full store', () => {
		test('fails as STORAGE_FULL, leaves nothing, and the next one works', async (t) => {
			const daemon = await startDaemon(t, options(tmpfs(t, 'size=20m')));
			const { smallUrl, largeUrl } = await origins(t);
			await imported(daemon, 'small', smallUrl);
			const before = daemon.files('blobs').length;
			const error = await refused(daemon, 'large', largeUrl);
			assert.equal(error.code, 'STORAGE_FULL', JSON.stringify(error));
			await assertRecovers(daemon, smallUrl, before);
			await daemon.stop();
		});

		test('fails before a shard is fetched when its total would not leave store.min_free', async (t) => {
			const daemon = await startDaemon(t, options(tmpfs(t, 'size=90m'), { 'store.min_free': '64MiB' }));
			const { origin, smallUrl, largeUrl } = await origins(t);
			await imported(daemon, 'small', smallUrl);
			const before = daemon.files('blobs').length;
			const error = await refused(daemon, 'large', largeUrl);
			assert.equal(error.code, 'STORAGE_FULL', JSON.stringify(error));
			t.diagnostic(`${shardsOf(large).filter(({ path }) => origin.sent(`/large/${path}`) > 0).length} shards were fetched`);
			await assertRecovers(daemon, smallUrl, before);
			await daemon.stop();
		});

		test('that is full at the start of a job says so too', async (t) => {
			const daemon = await startDaemon(t, options(tmpfs(t, 'size=16m,nr_inodes=120')));
			const { smallUrl } = await origins(t);
			await imported(daemon, 'small', smallUrl);
			// Every inode is used by versions of one small file each, until one is refused.
			let last;
			for (let n = 0; n < 200 && !(last?.state === 'failed'); n++) {
				const one = addGraph({ seed: 100 + n, size: 8 });
				const { origin } = await origins(t);
				origin.serve('/one', one, (bytes) => file(bytes));
				const answered = await request(daemon, 'POST', `/v1/models/n${n}:import`,
					{ body: JSON.stringify({ url: origin.url('/one/model.json') }) });
				if (answered.status !== 202) {
					assert.equal(answered.status, 507, answered.text);
					break;
				}
				last = await ended(daemon, answered.json);
			}
			if (last.state === 'failed') {
				assert.equal(last.error.code, 'STORAGE_FULL', JSON.stringify(last));
			}
			assert.equal((await get(daemon, '/healthz')).status, 200);
			await assertHolds(daemon, 'small', 1, small.files);
		});

		test('over a kill -9 fails in the end, and not for ever', async (t) => {
			const mount = tmpfs(t, 'size=20m');
			const daemon = await startDaemon(t, options(mount));
			const { origin, smallUrl, largeUrl } = await origins(t);
			await imported(daemon, 'small', smallUrl);
			const before = daemon.files('blobs').length;
			const last = `/large/${shardsOf(large).at(-1).path}`;
			origin.hold(...shardsOf(large).slice(2).map(({ path }) => `/large/${path}`));
			const job = await submit(daemon, 'large', largeUrl);
			await origin.arrived(last);
			await daemon.kill();
			origin.release();
			const second = await startDaemon(t, options(mount));
			const end = await ended(second, job);
			assert.equal(end.state, 'failed');
			assert.equal(end.error.code, 'STORAGE_FULL');
			await assertRecovers(second, smallUrl, before);
			await second.stop();
		});
	});
}
