// SPDX-License-Identifier: Apache-2.0
// `modeld backup` beside a daemon, and `modeld restore`: the copy is whole whatever happens to either.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { have, listFiles, NO_FORMS, runModeld, scratchDir, startDaemon } from '../lib/daemon.mjs';
import { get, publish, published, request } from '../lib/http.mjs';
import { addGraph, denseModel, random } from '../lib/models.mjs';

const RUNS = process.env.MODELD_WRAPPER ? 2 : 6;
const KILLS = Number(process.env.CRASH_ROUNDS ?? (process.env.MODELD_WRAPPER ? 1 : 8));
const LATEST_KILL_MS = 150;

const modeld = (verb, store, ...words) => runModeld([verb, ...words, '--config', '/dev/null', '--store', store]);

async function well(verb, store, ...words) {
	const ended = await modeld(verb, store, ...words);
	assert.equal(ended.code, 0, ended.stdout + ended.stderr);
	return ended.stdout;
}

async function refused(code, message, verb, store, ...words) {
	const ended = await modeld(verb, store, ...words);
	assert.equal(ended.code, code, ended.stdout + ended.stderr);
	assert.match(ended.stderr, message);
}

const assertSound = async (store) => assert.match(await well('fsck', store), /: 0 damaged, 0 left over$/m);

async function assertServed(daemon, ref, model) {
	for (const { path: file, bytes } of model.files) {
		const answered = await get(daemon, `/models/${ref}/${file}`);
		assert.equal(answered.status, 200, `${ref}/${file}`);
		assert.deepEqual(answered.body, Buffer.from(bytes), `${ref}/${file}`);
	}
}

const blobOf = (dir, bytes) => listFiles(path.join(dir, 'blobs'))
	.find((file) => fs.readFileSync(file).equals(Buffer.from(bytes)));

function turnByte(file) {
	const bytes = fs.readFileSync(file);
	bytes[0] ^= 1;
	fs.chmodSync(file, 0o640);
	fs.writeFileSync(file, bytes);
}

describe('modeld backup', () => {
	test('and restore give another daemon the same versions, byte for byte', async (t) => {
		const daemon = await startDaemon(t);
		const backup = path.join(scratchDir('backup'), 'new', 'deep');
		const restored = path.join(scratchDir('restored'), 'store');
		const models = [denseModel({ seed: 1 }), addGraph({ seed: 2, shardBytes: 8 }), denseModel({ seed: 3 })];
		for (const model of models) {
			await published(daemon, 'team/m', model);
		}
		await request(daemon, 'PUT', '/v1/models/team/m/labels/stable', {
			headers: { 'content-type': 'application/json' }, body: '{"version": 2}',
		});
		await request(daemon, 'DELETE', '/v1/models/team/m/versions/1');
		const upload = await request(daemon, 'POST', '/v1/uploads', {
			headers: { 'content-type': 'application/json' }, body: '{"model": "open"}',
		});
		await request(daemon, 'PUT', `${upload.headers.location}/files/notes.txt`, { body: 'not part of a backup' });

		assert.match(await well('backup', daemon.store, backup), /^backed up 2 versions, \d+ files, .*: \d+ copied \(.*\), 0 removed\n$/);
		await assertSound(backup);
		assert.match(await well('restore', restored, backup), /^restored 2 versions, /);
		await assertSound(restored);
		await daemon.stop();

		const other = await startDaemon(t, { store: restored });
		await assertServed(other, 'team/m@2', models[1]);
		await assertServed(other, 'team/m@3', models[2]);
		assert.equal((await get(other, '/models/team/m@1/model.json')).status, 410);
		assert.equal((await get(other, '/v1/models/team/m/labels/stable')).json.version, 2);
		assert.equal((await get(other, upload.headers.location)).status, 404);
		assert.equal((await published(other, 'team/m', denseModel({ seed: 4 }))).version, 4, 'no number comes twice');
		await other.stop();
	});

	test('copies what is new and drops what is gone', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const backup = scratchDir('backup');
		const [first, second] = [addGraph({ seed: 1, shardBytes: 8 }), addGraph({ seed: 2, shardBytes: 8 })];
		await published(daemon, 'm', first);
		assert.match(await well('backup', daemon.store, backup), /: 4 copied \(.*\), 0 removed$/m);
		const kept = new Map(listFiles(path.join(backup, 'blobs')).map((file) => [file, fs.statSync(file).ino]));
		assert.match(await well('backup', daemon.store, backup), /: 0 copied \(0 B\), 0 removed$/m);
		await published(daemon, 'm', second);
		assert.match(await well('backup', daemon.store, backup), /^backed up 2 versions, 7 files, .*: 3 copied \(.*\), 0 removed$/m);
		for (const [file, inode] of kept) {
			assert.equal(fs.statSync(file).ino, inode, 'a file is copied once');
		}
		await request(daemon, 'DELETE', '/v1/models/m/versions/1');
		assert.match(await well('backup', daemon.store, backup), /^backed up 1 version, 4 files, .*: 0 copied \(0 B\), 3 removed$/m);
		await assertSound(backup);
		await daemon.stop();
	});

	test('is whole each time, beside publishes, deletions and collections without grace', async (t) => {
		const daemon = await startDaemon(t);
		const backup = scratchDir('backup');
		let done = false;
		const write = async (name, seed) => {
			for (let i = 0; !done; i++) {
				const answered = await publish(daemon, name, addGraph({ seed: seed + i, shardBytes: 8 }));
				assert.equal(answered.status, 201, answered.text);
				if (i > 1) {
					const gone = await request(daemon, 'DELETE', `/v1/models/${name}/versions/${i - 1}`);
					assert.equal(gone.status, 204, gone.text);
				}
			}
		};
		const collect = async () => {
			while (!done) {
				await well('gc', daemon.store, '--grace', '0');
			}
		};
		const work = Promise.all([write('a', 1000), write('b/c', 2000), collect()]);
		try {
			for (let run = 0; run < RUNS; run++) {
				const ended = await modeld('backup', daemon.store, backup);
				if (ended.code !== 0) {
					assert.match(ended.stderr, /collected 5 times while they were being copied/);
					continue;
				}
				await assertSound(backup);
			}
		} finally {
			done = true;
			await work;
		}
		await well('backup', daemon.store, backup);
		await assertSound(backup);
		await daemon.stop();
	});

	test(`is the old one or the new one after kill -9 at ${KILLS} moments`, async (t) => {
		const daemon = await startDaemon(t);
		const backup = scratchDir('backup');
		const moments = random(7);
		await published(daemon, 'm', denseModel({ seed: 1 }));
		await well('backup', daemon.store, backup);
		for (let round = 0; round < KILLS; round++) {
			await published(daemon, 'm', addGraph({ seed: 10 + round, size: 40, shardBytes: 8 }));
			if (round > 1) {
				await request(daemon, 'DELETE', `/v1/models/m/versions/${round - 1}`);
			}
			await runModeld(['backup', backup, '--config', '/dev/null', '--store', daemon.store], { killAfterMs: moments() * LATEST_KILL_MS });
			const proved = await modeld('fsck', backup);
			assert.equal(proved.code, 0, proved.stdout);
		}
		await well('backup', daemon.store, backup);
		await assertSound(backup);
		assert.deepEqual(listFiles(path.join(backup, 'tmp')), []);
		await daemon.stop();
	});

	test('takes in the log of a command that was killed at it', { skip: !have('sqlite3') && 'sqlite3 is not installed' }, async (t) => {
		const daemon = await startDaemon(t);
		const backup = scratchDir('backup');
		const catalog = path.join(backup, 'catalog.db');
		await published(daemon, 'm', denseModel({ seed: 1 }));
		await well('backup', daemon.store, backup);
		const command = spawn('sqlite3', [catalog]);
		command.stdin.write(`WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000)
			INSERT INTO trash SELECT printf('%064x', n), printf('%016x', n), 0 FROM i; SELECT 'written';\n`);
		const [written] = await once(command.stdout, 'data');
		assert.equal(String(written), 'written\n');
		const busy = await modeld('backup', daemon.store, backup);
		assert.equal(busy.code, 1, busy.stdout);
		assert.match(busy.stderr, /another command is at work on .*: try again after it$/m);
		command.kill('SIGKILL');
		await once(command, 'close');
		assert.ok(fs.statSync(`${catalog}-wal`).size > 0);
		for (let i = 0; i < 40; i++) {
			await published(daemon, 'm', addGraph({ seed: 100 + i, size: 40, shardBytes: 8 }));
		}
		await well('backup', daemon.store, backup);
		await assertSound(backup);
		assert.match(await well('fsck', backup), /^checked 41 versions/m);
		await daemon.stop();
	});

	test('names a damaged file, copies the rest, and keeps a good copy of an earlier run', async (t) => {
		const daemon = await startDaemon(t);
		const [early, late] = [scratchDir('early'), scratchDir('late')];
		const model = addGraph({ shardBytes: 8 });
		await published(daemon, 'm', model);
		await published(daemon, 'n', denseModel());
		await well('backup', daemon.store, early);
		turnByte(blobOf(daemon.store, model.files[1].bytes));

		const ended = await modeld('backup', daemon.store, late);
		assert.equal(ended.code, 1, ended.stdout);
		assert.match(ended.stdout, /^damaged: [0-9a-f]{64}\.[0-9a-f]{16}: its bytes have another SHA-256; it is m@1\/group1-shard1of3\.bin$/m);
		assert.match(ended.stdout, /^backed up 2 versions, .*, 1 damaged$/m);
		assert.match(ended.stderr, /^modeld: .* has damaged files, .*publish those versions again$/m);
		assert.match((await modeld('fsck', late)).stdout, /: 1 damaged, 0 left over$/m);

		await well('backup', daemon.store, early);
		await assertSound(early);
		const restored = path.join(scratchDir('restored'), 'store');
		await well('restore', restored, early);
		const other = await startDaemon(t, { store: restored });
		await assertServed(other, 'm@1', model);
		await other.stop();
		await daemon.stop();
	});

	test('goes on where a restore was cut off', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const backup = scratchDir('backup');
		const restored = path.join(scratchDir('restored'), 'store');
		await published(daemon, 'm', addGraph({ shardBytes: 8 }));
		await well('backup', daemon.store, backup);
		await well('restore', restored, backup);
		fs.unlinkSync(path.join(restored, 'catalog.db'));
		assert.match(await well('restore', restored, backup), /: 0 copied \(0 B\), 0 removed$/m);
		assert.match(await well('fsck', restored), /^checked 1 version, 4 files, .*: 0 damaged, 0 left over$/m);
		await daemon.stop();
	});

	test('touches nothing that is no backup, and says what to do', async (t) => {
		const daemon = await startDaemon(t);
		const backup = scratchDir('backup');
		const papers = scratchDir('papers');
		fs.writeFileSync(path.join(papers, 'thesis.tex'), 'years of work');
		await published(daemon, 'm', denseModel());
		await well('backup', daemon.store, backup);

		await refused(64, /^modeld: backup needs the directory of the backup/, 'backup', daemon.store);
		await refused(64, /^modeld: unexpected argument b/, 'backup', daemon.store, 'a', 'b');
		await refused(78, /there is no store$/m, 'backup', '/nonexistent', backup);
		await refused(78, /has other files in it \(thesis\.tex\): give an empty directory, or a new one$/m, 'backup', daemon.store, papers);
		assert.deepEqual(fs.readdirSync(papers), ['thesis.tex']);
		await refused(78, /is in .* itself: give a directory elsewhere$/m, 'backup', daemon.store, path.join(daemon.store, 'backup'));
		await refused(78, /is in .* itself/, 'backup', daemon.store, daemon.store);
		const other = await startDaemon(t);
		await refused(78, /is a store, not a backup: give the backup a directory of its own$/m, 'backup', daemon.store, other.store);

		await refused(78, /has a store already: restore into a new directory, and start modeld on it$/m, 'restore', daemon.store, backup);
		await refused(78, /is no backup: it has no file BACKUP$/m, 'restore', path.join(papers, 'new'), papers);
		await refused(78, /has other files in it/, 'restore', papers, backup);
		await refused(78, /is a backup: `modeld restore` makes a store of it in another directory$/m, 'serve', backup);
		await other.stop();
		await daemon.stop();
	});
});
