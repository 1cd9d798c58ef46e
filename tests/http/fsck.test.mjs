// SPDX-License-Identifier: Apache-2.0
// `modeld fsck`: what is right is called right, and each kind of damage by its name.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { have, NO_FORMS, runModeld, startDaemon } from '../lib/daemon.mjs';
import { published, request } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';

const fsck = (daemon, ...options) =>
	runModeld(['fsck', '--config', '/dev/null', '--store', daemon.store, ...options]);

async function clean(daemon, ...options) {
	const ended = await fsck(daemon, ...options);
	assert.equal(ended.code, 0, ended.stdout + ended.stderr);
	return ended.stdout;
}

async function damaged(daemon, line, ...options) {
	const ended = await fsck(daemon, ...options);
	assert.equal(ended.code, 1, ended.stdout);
	assert.match(ended.stdout, line);
	assert.match(ended.stderr, /^modeld: the store in .* is damaged: restore the files/);
}

const blobOf = (daemon, bytes) => daemon.files('blobs')
	.find((file) => fs.readFileSync(file).equals(Buffer.from(bytes)));

function overwrite(file, bytes) {
	fs.chmodSync(file, 0o640);
	fs.writeFileSync(file, bytes);
}

describe('modeld fsck', () => {
	test('finds nothing wrong beside a daemon that works', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		assert.match(await clean(daemon), /^checked 0 versions, 0 files, 0 B: 0 damaged, 0 left over$/m);
		await published(daemon, 'm', denseModel());
		await published(daemon, 'm', addGraph({ shardBytes: 8 }));
		await published(daemon, 'n', denseModel());
		await request(daemon, 'DELETE', '/v1/models/m/versions/1');
		assert.match(await clean(daemon), /^checked 2 versions, 6 files, .*: 0 damaged, 0 left over$/m);
		assert.match(await clean(daemon, '--quick'), /by name and size/);
		await daemon.stop();
	});

	test('names a byte that turned, and the version that has it', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const model = addGraph({ shardBytes: 24 });
		await published(daemon, 'm', model);
		await daemon.stop();
		const [, shard] = model.files;
		const turned = Uint8Array.from(shard.bytes, (byte, i) => (i === 5 ? byte ^ 1 : byte));
		overwrite(blobOf(daemon, shard.bytes), turned);
		await damaged(daemon, /^damaged: blobs.* has other bytes, with SHA-256 [0-9a-f]{64}; it is m@1\/group1-shard1of1\.bin$/m);
		await clean(daemon, '--quick');
	});

	test('names a file that is missing, cut off, or not of the store', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		const model = addGraph({ shardBytes: 8 });
		await published(daemon, 'm', model);
		await daemon.stop();
		fs.unlinkSync(blobOf(daemon, model.files[1].bytes));
		overwrite(blobOf(daemon, model.files[2].bytes), Buffer.from('cut'));
		fs.mkdirSync(path.join(daemon.store, 'blobs', 'aa', 'bb'), { recursive: true });
		fs.writeFileSync(path.join(daemon.store, 'blobs', 'aa', 'bb', 'notes.txt'), 'hello');
		const key = `aabb${'0'.repeat(60)}.${'1'.repeat(16)}`;
		fs.writeFileSync(path.join(daemon.store, 'blobs', 'aa', 'bb', key), 'stray');
		await damaged(daemon, /^damaged: .* is missing; it is m@1\/group1-shard1of3\.bin$/m, '--quick');
		await damaged(daemon, /^damaged: .* should have 8 bytes and has 3; it is m@1\/group1-shard2of3\.bin$/m);
		await damaged(daemon, /^left over: blobs\/aa\/bb\/notes\.txt is no file of the store$/m);
		await damaged(daemon, new RegExp(`^left over: blobs/aa/bb/${key} is in no catalog$`, 'm'));
		await damaged(daemon, /: 2 damaged, 2 left over$/m);
	});

	test('names a version whose files are not those it was published with', { skip: !have('sqlite3') && 'sqlite3 is not installed' }, async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', denseModel());
		await daemon.stop();
		execFileSync('sqlite3', [path.join(daemon.store, 'catalog.db'), 'UPDATE version_files SET digest = (SELECT MIN(digest) FROM blobs)']);
		await damaged(daemon, /^damaged: m@1 does not have the files that it was published with$/m);
	});

	test('needs a store, and says so', async () => {
		const ended = await runModeld(['fsck', '--config', '/dev/null', '--store', '/nonexistent']);
		assert.equal(ended.code, 78);
		assert.match(ended.stderr, /^modeld: .*\/nonexistent/);
		const usage = await runModeld(['gc', '--quick']);
		assert.equal(usage.code, 64);
		assert.match(usage.stderr, /--quick goes with `modeld fsck`/);
	});
});
