// SPDX-License-Identifier: Apache-2.0
// GET /models/{ref}?tfjs-format=compressed: a version as a .tar.gz whose bytes never change.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { have, listFiles, NO_FORMS, runModeld, scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, assertQuietError, get, head, post, published, request, requestHead,
	Wire } from '../lib/http.mjs';
import { addGraph, denseModel, utf8 } from '../lib/models.mjs';
import { TAR_GZ } from '../lib/archives.mjs';

const run = promisify(execFile);
const MIB = 1 << 20;
const MTIME = 315532800; // TARGZ_MTIME of common/ingest/targz.h
const QUERY = '?tfjs-format=compressed';
const noTar = !have('tar') && 'tar is not installed';
const noCurl = !have('curl') && 'curl is not installed';

const LONG = `${'d'.repeat(60)}/${'e'.repeat(60)}.txt`;
const small = (() => {
	const model = denseModel({ inputs: 64, units: 32, shardBytes: 3000, prefix: 'weights/' });
	const more = { 'labels.txt': 'cat\ndog\n', 'empty.txt': '', 'größe.txt': 'ü', [LONG]: 'far down' };
	return { ...model, files: [...model.files,
		...Object.entries(more).map(([file, text]) => ({ path: file, bytes: utf8(text) }))] };
})();
// More than the buffers of a socket hold, in several files.
const large = addGraph({ size: 6 * MIB, shardBytes: 4 * MIB });

const byPath = (a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
const archiveOf = async (daemon, ref, headers) => {
	const answered = await get(daemon, `/models/${ref}${QUERY}`, headers);
	assert.equal(answered.status, 200, answered.headers['x-error-code']);
	return answered;
};

function links(daemon) {
	const dir = `/proc/${daemon.pid}/fd`;
	return fs.readdirSync(dir).flatMap((fd) => {
		try {
			return [fs.readlinkSync(path.join(dir, fd))];
		} catch (error) {
			assert.equal(error.code, 'ENOENT');
			return [];
		}
	});
}

// The entries of a tar, as far as these archives have any: ustar, and pax with a path.
function entriesOf(tar) {
	const text = (at, n) => tar.toString('utf8', at, at + n).replace(/\0.*$/s, '');
	const found = [];
	let long;
	for (let at = 0; tar[at] !== 0;) {
		const size = parseInt(text(at + 124, 12), 8);
		const bytes = tar.subarray(at + 512, at + 512 + size);
		if (text(at + 156, 1) === 'x') {
			long = /^\d+ path=(.*)\n$/s.exec(bytes.toString('utf8'))[1];
		} else {
			found.push({ path: long ?? text(at, 100), bytes, mode: text(at + 100, 8),
				owner: text(at + 108, 16), mtime: parseInt(text(at + 136, 12), 8), names: text(at + 265, 64) });
			long = undefined;
		}
		at += 512 + Math.ceil(size / 512) * 512;
	}
	return found;
}

describe('the archive of a version', { concurrency: false }, () => {
	const daemon = useDaemon();
	let publishedAs;
	before(async () => {
		publishedAs = await published(daemon, 'team/small', small);
		await published(daemon, 'large', large);
	});

	test('has its files, sorted, with fixed times, modes and owners', async () => {
		const { body } = await archiveOf(daemon, 'team/small@1');
		const entries = entriesOf(zlib.gunzipSync(body));
		assert.deepEqual(entries.map(({ path: file, bytes }) => ({ path: file, bytes: Buffer.from(bytes) })),
			small.files.map((file) => ({ ...file, bytes: Buffer.from(file.bytes) })).sort(byPath));
		for (const entry of entries) {
			assert.equal(entry.mtime, MTIME);
			assert.equal(entry.mode, '0000644');
			assert.equal(entry.names, '');
		}
	});

	test('is unpacked by tar without a word', { skip: noTar }, async () => {
		const dir = scratchDir('untar');
		fs.writeFileSync(path.join(dir, 'a.tar.gz'), (await archiveOf(daemon, 'team/small@1')).body);
		const { stdout, stderr } = await run('tar', ['--numeric-owner', '-xvzf', 'a.tar.gz'],
			{ cwd: dir, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
		assert.equal(stderr, '');
		assert.equal(stdout.split('\n').length - 1, small.files.length);
		for (const { path: file, bytes } of small.files) {
			const full = path.join(dir, file);
			assert.deepEqual(fs.readFileSync(full), Buffer.from(bytes));
			assert.equal(fs.statSync(full).mtimeMs, MTIME * 1000);
			assert.equal(fs.statSync(full).mode & 0o7777, 0o644 & ~process.umask());
		}
		assert.equal(listFiles(dir).length, small.files.length + 1);
	});

	test('is one gzip member, which DecompressionStream takes', async () => {
		const { body } = await archiveOf(daemon, 'large@1');
		const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'));
		const tar = Buffer.from(await new Response(stream).arrayBuffer());
		assert.ok(tar.equals(zlib.gunzipSync(body)));
		for (const [i, entry] of entriesOf(tar).entries()) {
			const want = [...large.files].sort(byPath)[i];
			assert.equal(entry.path, want.path);
			assert.ok(entry.bytes.equals(Buffer.from(want.bytes)), entry.path);
		}
	});

	test('says what it is, and HEAD says the same', async () => {
		const answered = await archiveOf(daemon, 'team/small@1');
		assertOpenToPages(answered);
		const { headers } = answered;
		assert.equal(headers['content-type'], 'application/gzip');
		assert.equal(headers['content-encoding'], undefined);
		assert.equal(headers['content-length'], String(answered.body.length));
		assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
		assert.equal(headers.etag, `"tgz1-${publishedAs.root_digest.replace('sha256:', '')}"`);
		assert.equal(headers['content-disposition'], 'attachment; filename="small-1.tar.gz"');
		assert.equal(headers['accept-ranges'], 'none');
		assert.equal(headers['content-location'], undefined);
		assert.ok(Date.parse(headers['last-modified']) <= Date.now());
		for (const ref of ['team/small@1', 'team/small', 'large']) {
			const target = `/models/${ref}${QUERY}`;
			const [whole, only] = [await get(daemon, target), await head(daemon, target)];
			assert.equal(only.status, 200);
			assert.equal(only.body.length, 0);
			const { date: one, ...ofGet } = whole.headers;
			const { date: two, ...ofHead } = only.headers;
			assert.ok(one && two);
			assert.deepEqual(ofHead, ofGet);
		}
	});

	test('under a name that moves has the pinned URL', async () => {
		const body = JSON.stringify({ version: 1 });
		const moved = await request(daemon, 'PUT', '/v1/models/team/small/labels/stable',
			{ headers: { 'content-type': 'application/json', 'content-length': body.length }, body });
		assert.equal(moved.status, 201, moved.text);
		const pinned = await archiveOf(daemon, 'team/small@1');
		for (const ref of ['team/small', 'team/small@latest', 'team/small@stable']) {
			const answered = await archiveOf(daemon, ref);
			assert.equal(answered.headers['cache-control'], 'no-cache', ref);
			assert.equal(answered.headers['content-location'], `/models/team/small@1${QUERY}`);
			assert.equal(answered.headers.etag, pinned.headers.etag);
			assert.ok(answered.body.equals(pinned.body));
			// A label may go back to what was made earlier: no date tells versions apart.
			assert.equal(answered.headers['last-modified'], undefined, ref);
			const dated = await get(daemon, `/models/${ref}${QUERY}`, { 'if-modified-since': pinned.headers['last-modified'] });
			assert.equal(dated.status, 200, ref);
		}
		const named = await archiveOf(daemon, `team/small@${publishedAs.root_digest}`);
		assert.match(named.headers['cache-control'], /immutable/);
		assert.equal(named.headers['content-location'], undefined);
	});

	test('is not sent again to whom has it (RFC 9110 13)', async () => {
		const { headers: { etag, 'last-modified': modified, 'content-length': length } } =
			await archiveOf(daemon, 'team/small@1');
		const target = `/models/team/small@1${QUERY}`;
		for (const known of [{ 'if-none-match': etag }, { 'if-none-match': `W/${etag}` },
			{ 'if-none-match': '*' }, { 'if-none-match': `"other", ${etag}` }, { 'if-modified-since': modified }]) {
			const answered = await get(daemon, target, known);
			assert.equal(answered.status, 304, JSON.stringify(known));
			assert.equal(answered.body.length, 0);
			assert.equal(answered.headers.etag, etag);
			assert.match(answered.headers['cache-control'], /immutable/);
			assert.equal(answered.headers['content-length'], length);
			assert.equal((await head(daemon, target, known)).status, 304);
		}
		assert.equal((await get(daemon, target, { 'if-none-match': '"other"' })).status, 200);
		assert.equal((await get(daemon, target, { 'if-match': etag })).status, 200);
		assertQuietError(await get(daemon, target, { 'if-match': '"other"' }), 412, 'PRECONDITION_FAILED');
	});

	test('has no ranges (RFC 9110 14.2)', async () => {
		const whole = await archiveOf(daemon, 'team/small@1');
		for (const range of ['bytes=0-9', 'bytes=99999999-', 'bytes=-5']) {
			const answered = await archiveOf(daemon, 'team/small@1', { range });
			assert.ok(answered.body.equals(whole.body), range);
		}
	});

	test('is not what another query asks for', async () => {
		for (const query of ['', '?', '?tfjs-format=file', '?tfjs-format=', '?tfjs-format=Compressed',
			'?tfjs-format=compressed2', '?x=tfjs-format=compressed', '?tfjs-format=%zz']) {
			for (const ref of ['team/small@1', 'team/small']) {
				const answered = await get(daemon, `/models/${ref}${query}`);
				assert.match(answered.headers['content-type'], /^application\/json/, query);
			}
		}
		assert.match((await get(daemon, `/v1/models/team/small/versions/1${QUERY}`)).headers['content-type'],
			/^application\/json/);
		assert.equal((await get(daemon, `/models/team/small@1/labels.txt${QUERY}`)).text, 'cat\ndog\n');
		assert.equal((await get(daemon, `/models/team/small/labels.txt${QUERY}`)).text, 'cat\ndog\n');
		assert.equal((await archiveOf(daemon, 'team/small@1', {})).headers['content-type'], 'application/gzip');
		assert.equal((await get(daemon, '/models/team/small?a=b&tfjs-format=%63ompressed')).headers['content-type'],
			'application/gzip');
	});

	test('is not there when the version is not', async () => {
		for (const [ref, code] of [['none', 'MODEL_NOT_FOUND'], ['none@1', 'MODEL_NOT_FOUND'],
			['team/small@7', 'VERSION_NOT_FOUND'], ['team/small@beta', 'LABEL_NOT_FOUND']]) {
			assertQuietError(await get(daemon, `/models/${ref}${QUERY}`), 404, code);
		}
		await published(daemon, 'short', denseModel());
		await archiveOf(daemon, 'short@1');
		assert.equal((await request(daemon, 'DELETE', '/v1/models/short/versions/1')).status, 204);
		assertQuietError(await get(daemon, `/models/short@1${QUERY}`), 410, 'DELETED');
		assertQuietError(await head(daemon, `/models/short${QUERY}`), 410, 'DELETED');
	});

	test('makes no second version when it is published', async () => {
		const { body } = await archiveOf(daemon, 'team/small@1');
		const form = { headers: { 'content-type': TAR_GZ }, body };
		const again = await post(daemon, '/models/team/small', form);
		assert.equal(again.status, 200, again.text);
		assert.equal(again.json.deduplicated, true);
		const other = await post(daemon, '/v1/models/copy/versions', form);
		assert.equal(other.status, 201, other.text);
		assert.equal(other.json.root_digest, publishedAs.root_digest);
		assert.ok((await archiveOf(daemon, 'copy@1')).body.equals(body));
	});

	test('is no coding to curl --compressed', { skip: noCurl }, async () => {
		const to = path.join(scratchDir('curl'), 'a.tar.gz');
		await run('curl', ['-sSf', '--compressed', '-o', to, daemon.url(`/models/team/small@1${QUERY}`)]);
		assert.ok(fs.readFileSync(to).equals((await archiveOf(daemon, 'team/small@1')).body));
	});

	test('is whole for many who take it at once', async () => {
		const { body } = await archiveOf(daemon, 'large@1');
		const all = await Promise.all(Array.from({ length: 12 }, () => archiveOf(daemon, 'large@1')));
		for (const one of all) {
			assert.ok(one.body.equals(body));
		}
	});

	test('holds nothing after clients that leave in its middle', async () => {
		// Not those of the catalog, of which there are more with each worker that needs one.
		const held = () => links(daemon).filter((link) => /\/blobs\/|^socket:/.test(link)).length;
		const idle = held();
		const wires = Array.from({ length: 20 }, () => new Wire(daemon.port));
		for (const wire of wires) {
			await wire.send(requestHead('GET', `/models/large@1${QUERY}`, {}));
		}
		await until('bytes for all', () => wires.every((wire) => wire.received.length > 0));
		for (const wire of wires) {
			wire.destroy();
		}
		await until('their descriptors to be closed', () => held() <= idle);
	});
});

// A client that reads when it is told to.
async function halfway(daemon, ref) {
	const wire = new Wire(daemon.port);
	await wire.sendAndPause(requestHead('GET', `/models/${ref}${QUERY}`, {}));
	return wire;
}

function split(bytes) {
	const end = bytes.indexOf('\r\n\r\n') + 4;
	const [, length] = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, end));
	return { body: bytes.subarray(end), length: Number(length) };
}

describe('an archive', { concurrency: false }, () => {
	test('has the same bytes from every daemon, also after a restart', async (t) => {
		const first = await startDaemon(t);
		const second = await startDaemon(t);
		await published(first, 'a', small);
		await published(second, 'x', denseModel());
		await published(second, 'b', small);
		const { body, headers } = await archiveOf(first, 'a@1');
		const other = await archiveOf(second, 'b@1');
		assert.ok(other.body.equals(body));
		assert.equal(other.headers.etag, headers.etag);
		await first.stop();
		await second.stop();
		const again = await startDaemon(t, { store: first.store });
		assert.ok((await archiveOf(again, 'a')).body.equals(body));
		await again.stop();
	});

	test('is cut when its version is deleted and collected on the way', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.send_buffer': '64KiB' } });
		await published(daemon, 'm', large);
		const { body } = await archiveOf(daemon, 'm@1');
		const wire = await halfway(daemon, 'm@1');
		assert.equal((await request(daemon, 'DELETE', '/v1/models/m/versions/1')).status, 204);
		const gc = await runModeld(['gc', '--config', '/dev/null', '--store', daemon.store, '--grace', '0']);
		assert.equal(gc.code, 0, gc.stderr);
		wire.socket.resume();
		const got = split(await wire.rest());
		assert.equal(got.length, body.length);
		assert.ok(got.body.length < body.length, 'it came whole');
		assert.ok(got.body.equals(body.subarray(0, got.body.length)), 'other bytes came');
		assertQuietError(await get(daemon, `/models/m@1${QUERY}`), 410, 'DELETED');
		await daemon.stop();
	});

	test('survives that its version is deleted, until the trash is taken out', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.send_buffer': '64KiB' } });
		await published(daemon, 'm', large);
		const { body } = await archiveOf(daemon, 'm@1');
		const wire = await halfway(daemon, 'm@1');
		assert.equal((await request(daemon, 'DELETE', '/v1/models/m/versions/1')).status, 204);
		const gc = await runModeld(['gc', '--config', '/dev/null', '--store', daemon.store]);
		assert.equal(gc.code, 0, gc.stderr);
		wire.socket.resume();
		const answered = await wire.answer();
		assert.ok(answered.body.equals(body));
		wire.destroy();
		await daemon.stop();
	});

	test('never ends when a file has other bytes than were published', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', large);
		const { body } = await archiveOf(daemon, 'm@1');
		const files = daemon.files('blobs').filter((file) => fs.statSync(file).size === 4 * MIB);
		const damaged = files.at(-1);
		fs.chmodSync(damaged, 0o600);
		const file = fs.openSync(damaged, 'r+');
		fs.writeSync(file, Buffer.from([~fs.readFileSync(damaged)[2 * MIB]]), 0, 1, 2 * MIB);
		fs.closeSync(file);
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('GET', `/models/m@1${QUERY}`, {}));
		const got = split(await wire.rest());
		assert.equal(got.length, body.length);
		assert.ok(got.body.length < body.length);
		await until('the log to say so', () => /has other bytes, with SHA-256/.test(daemon.stderr));
		for (const ask of [get, head]) {
			assertQuietError(await ask(daemon, `/models/m@1${QUERY}`), 500, 'CORRUPT');
		}
		await daemon.stop();
	});

	test('is whole where workers have no room for more', async (t) => {
		const daemon = await startDaemon(t, { set: { 'work.threads': '1', 'work.queue': '1' } });
		await published(daemon, 'm', large);
		const { body } = await archiveOf(daemon, 'm@1');
		const wires = [];
		while (wires.length < 8) {
			const wire = await halfway(daemon, 'm@1');
			if (wire.received.toString('latin1', 0, 12) === 'HTTP/1.1 200') {
				wires.push(wire);
			} else {
				wire.destroy();
			}
		}
		for (const wire of wires) {
			wire.socket.resume();
		}
		for (const wire of wires) {
			assert.ok((await wire.answer()).body.equals(body));
			wire.destroy();
		}
		await daemon.stop();
	});

	test('whose first file is missing is an error at once', async (t) => {
		const daemon = await startDaemon(t, { set: NO_FORMS });
		await published(daemon, 'm', addGraph());
		for (const file of daemon.files('blobs')) {
			fs.unlinkSync(file);
		}
		assertQuietError(await get(daemon, `/models/m@1${QUERY}`), 500, 'CORRUPT');
		await daemon.stop();
	});

	test('under way when the daemon is told to stop is finished', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.drain': '10min', 'http.min_rate': 0, 'http.send_buffer': '64KiB' } });
		await published(daemon, 'm', large);
		const wire = await halfway(daemon, 'm@1');
		daemon.signal('SIGTERM');
		await until('it to take no more', async () => {
			const probe = new Wire(daemon.port);
			const refused = await probe.opened.then(() => false, () => true);
			probe.destroy();
			return refused;
		});
		wire.socket.resume();
		const answered = await wire.answer();
		assert.equal(answered.body.length, Number(answered.headers['content-length']));
		wire.destroy();
		await daemon.stop();
	});

	test('that nobody takes does not hold a stop for ever', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.drain': '1s', 'http.send_buffer': '64KiB' } });
		await published(daemon, 'm', large);
		const wires = await Promise.all(Array.from({ length: 8 }, () => halfway(daemon, 'm@1')));
		await daemon.stop();
		for (const wire of wires) {
			wire.destroy();
		}
	});
});
