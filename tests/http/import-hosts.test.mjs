// SPDX-License-Identifier: Apache-2.0
// Imports from servers as they stand in the world: another modeld, and Debian's nginx with plain files.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { written } from '../lib/archives.mjs';
import { Daemon, startDaemon, useDaemon } from '../lib/daemon.mjs';
import { publish, request } from '../lib/http.mjs';
import { assertHolds, FROM_HERE, imported, look, refused, submit, versionsOf, when } from '../lib/imports.mjs';
import { addGraph, shardsOf, utf8, withFile } from '../lib/models.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { findPrograms } from '../lib/packages.mjs';
import { Relay } from '../lib/relay.mjs';
import { Authority, selfSigned } from '../lib/tls.mjs';

const model = addGraph({ seed: 1, size: 4096, shardBytes: 1000 });
const withLabels = withFile(model, 'labels.txt', utf8('cat\ndog\n'));

describe('an import from another modeld', () => {
	const upstream = useDaemon();
	const daemon = useDaemon({ set: FROM_HERE });
	before(async () => {
		assert.equal((await publish(upstream, 'up/net', withLabels)).status, 201);
		const answered = await request(upstream, 'PUT', '/v1/models/up/net/labels/stable', { body: '{"version":1}' });
		assert.ok(answered.status < 300, answered.text);
	});

	async function relayed(t, change) {
		const relay = await new Relay(upstream.port, change).start();
		t.after(() => relay.stop());
		return relay;
	}

	for (const [what, target] of [['the model.json of a label', '/models/up/net@stable/model.json'],
		['the model.json of a version', '/models/up/net@1/model.json'],
		['the model.json of the latest', '/models/up/net/model.json']]) {
		test(`takes ${what} as it was published there, from pinned URLs`, async (t) => {
			const relay = await relayed(t);
			const name = `from/${what.replaceAll(/[ .]/g, '-')}`;
			await imported(daemon, name, relay.url(target));
			await assertHolds(daemon, name, 1, model.files);
			for (const asked of relay.targets.slice(1)) {
				assert.match(asked, /^\/models\/up\/net@1\//);
			}
		});
	}

	for (const target of ['/models/up/net@stable', '/models/up/net@1', '/models/up/net', '/v1/models/up/net/versions/1',
		'/v1/models/up/net/labels/stable']) {
		test(`takes ${target}, companions and all`, async () => {
			const name = `ref${target.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
			const { json } = await request(upstream, 'GET', '/v1/models/up/net/versions/1');
			const job = await imported(daemon, name, upstream.url(target));
			assert.equal(job.root_digest, json.root_digest);
			await assertHolds(daemon, name, 1, withLabels.files);
		});
	}

	test('has the root digest of the version there, companions and all', async () => {
		const { json } = await request(upstream, 'GET', '/v1/models/up/net/versions/1');
		const body = { url: upstream.url('/models/up/net@1/model.json'), include: ['labels.txt'],
			expect: { root: json.root_digest } };
		const job = await imported(daemon, 'same', body);
		assert.equal(job.root_digest, json.root_digest);
		await assertHolds(daemon, 'same', 1, withLabels.files);
	});

	test('takes the archive that it makes', async () => {
		await imported(daemon, 'packed', upstream.url('/models/up/net@1?tfjs-format=compressed'));
		await assertHolds(daemon, 'packed', 1, withLabels.files);
	});

	test('does not fetch blobs that it has', async (t) => {
		const relay = await relayed(t);
		const other = addGraph({ seed: 1, size: 4096, shardBytes: 1000, metadata: { changed: true } });
		assert.equal((await publish(upstream, 'up/again', other)).status, 201);
		await imported(daemon, 'blobs/first', relay.url('/models/up/net@1'));
		relay.forget();
		await imported(daemon, 'blobs/second', relay.url('/models/up/again@1'));
		await assertHolds(daemon, 'blobs/second', 1, other.files);
		assert.deepEqual(relay.targets.filter((target) => !target.endsWith('/model.json')), ['/models/up/again@1']);
		relay.forget();
		const job = await imported(daemon, 'blobs/second', relay.url('/models/up/again'));
		assert.equal(job.unchanged, true);
		assert.deepEqual(relay.targets, ['/models/up/again']);
	});

	test('is verified: a byte that somebody flips on the way is found', async (t) => {
		const [shard] = shardsOf(model);
		const relay = await relayed(t, (target, body) => {
			if (target.endsWith(shard.path) && body.length > 0) {
				body[body.length >> 1] ^= 1;
			}
		});
		const own = await startDaemon(t, { set: FROM_HERE });
		const error = await refused(own, 'm', relay.url('/models/up/net@1/model.json'));
		assert.match(error.code, /BAD_DIGEST|FETCH_FAILED/, JSON.stringify(error));
		assert.ok(error.url.endsWith(shard.path), error.url);
		assert.deepEqual(await versionsOf(own, 'm'), []);
		assert.deepEqual(own.files('blobs').filter((file) => fs.statSync(file).size === 1000 && !shardsOf(model)
			.some(({ bytes }) => Buffer.from(bytes).equals(fs.readFileSync(file)))), []);
	});

	test('that is the daemon itself works, and waits for nothing', async (t) => {
		const own = new Daemon({ set: { ...FROM_HERE, 'http.threads': 1 } });
		t.after(() => own.destroy());
		await own.start();
		assert.equal((await publish(own, 'a', model)).status, 201);
		await imported(own, 'b', own.url('/models/a@1/model.json'));
		await assertHolds(own, 'b', 1, model.files);
		await own.stop();
	});

	test('of a version that was deleted there says what it answered', async () => {
		assert.equal((await publish(upstream, 'gone', model)).status, 201);
		assert.equal((await request(upstream, 'DELETE', '/v1/models/gone/versions/1')).status, 204);
		const error = await refused(daemon, 'gone', upstream.url('/models/gone@1/model.json'));
		assert.equal(error.code, 'FETCH_STATUS');
		assert.equal(error.upstream_status, 410);
	});
});

describe('an import from nginx', () => {
	const authority = new Authority();
	const daemon = useDaemon({ set: { ...FROM_HERE, 'import.ca_file': authority.file } });
	let root;
	before(async () => {
		await findPrograms('nginx');
		root = written(withLabels, 'm');
	});

	test('by HTTP/1.1, with few connections', async (t) => {
		const nginx = await startNginx(t, { root });
		await imported(daemon, 'http1', { url: nginx.url('/m/model.json'), include: ['labels.txt'] });
		await assertHolds(daemon, 'http1', 1, withLabels.files);
		const requests = await nginx.told();
		assert.equal(requests.filter(({ status }) => status === 200).length, withLabels.files.length);
		assert.ok(requests.every(({ protocol, status }) => protocol === 'HTTP/1.1' && (status === 200 || status === 304)));
		assert.ok(new Set(requests.map(({ connection }) => connection)).size <= 9);
	});

	test('by HTTP/2, over TLS', async (t) => {
		const nginx = await startNginx(t, { root, secure: authority.issue('127.0.0.1') });
		await imported(daemon, 'tls/m', { url: nginx.url('/m/model.json'), include: ['labels.txt'] });
		await assertHolds(daemon, 'tls/m', 1, withLabels.files);
		assert.ok((await nginx.told()).every(({ protocol }) => protocol === 'HTTP/2.0'));
	});

	// Larger than what waits in memory by far: transfers are paused, and go on.
	test('by HTTP/2, large files side by side', async (t) => {
		const large = addGraph({ seed: 4, size: 6 << 20, shardBytes: 6 << 20 });
		const folder = written(large, 'm');
		const nginx = await startNginx(t, { root: folder, secure: authority.issue('127.0.0.1') });
		await imported(daemon, 'tls/large', nginx.url('/m/model.json'));
		await assertHolds(daemon, 'tls/large', 1, large.files);
		assert.ok((await nginx.told()).every(({ protocol }) => protocol === 'HTTP/2.0'));
	});

	test('again fetches nothing', async (t) => {
		const nginx = await startNginx(t, { root });
		await imported(daemon, 'again', nginx.url('/m/model.json'));
		const before = (await nginx.told()).length;
		const job = await imported(daemon, 'again', nginx.url('/m/model.json'));
		assert.equal(job.unchanged, true);
		assert.ok((await nginx.told()).slice(before).every(({ status, bytes }) => status === 304 && bytes === 0));
	});

	test('that was changed there makes a version, of what changed', async (t) => {
		const nginx = await startNginx(t, { root });
		await imported(daemon, 'changed', nginx.url('/m/model.json'));
		const before = (await nginx.told()).length;
		const [shard] = shardsOf(model);
		const old = fs.readFileSync(path.join(root, 'm', shard.path));
		const bytes = Buffer.from(old.map((byte, i) => (i % 4 === 0 ? byte ^ 1 : byte)));
		fs.writeFileSync(path.join(root, 'm', shard.path), bytes);
		// nginx makes ETags of time and size: one that is surely another.
		fs.utimesSync(path.join(root, 'm', shard.path), 1, 1);
		t.after(() => fs.writeFileSync(path.join(root, 'm', shard.path), old));
		assert.equal((await imported(daemon, 'changed', nginx.url('/m/model.json'))).version, 2);
		const fetched = (await nginx.told()).slice(before).filter(({ status }) => status === 200);
		assert.deepEqual(fetched.map(({ target }) => target), [`/m/${shard.path}`]);
	});

	test('that limits the rate is resumed after a kill -9', async (t) => {
		const size = 32 << 20; // two minutes
		const large = addGraph({ seed: 3, size: size / 4 });
		const folder = written(large, 'm');
		const nginx = await startNginx(t, { root: folder, more: 'location ~ bin$ { limit_rate 256k; }' });
		const first = await startDaemon(t, { set: FROM_HERE });
		const job = await submit(first, 'm', nginx.url('/m/model.json'));
		await when(first, job, 'some of the shard', ({ progress }) => progress.bytes > 300_000);
		await first.kill();
		const second = await startDaemon(t, { store: first.store, set: FROM_HERE });
		await when(second, job, 'the next attempt', ({ attempt, progress }) => attempt === 2 && progress.bytes > 0);
		assert.equal((await request(second, 'DELETE', `/v1/jobs/${job.id}`)).status, 200);
		assert.equal((await look(second, job)).state, 'cancelled');
	});

	// ---- TLS ----

	for (const [what, issue, says] of [
		['another name', () => authority.issue('other.example'), 'it is not for this name'],
		['an authority that nobody trusts', () => new Authority('Somebody else').issue('127.0.0.1'), 'unable to get local issuer certificate'],
		['nobody but itself', () => selfSigned('127.0.0.1'), 'self-signed certificate'],
		['yesterday', () => authority.issueFor('-1', '127.0.0.1'), 'certificate has expired'],
	]) {
		test(`is refused for a certificate of ${what}, and that is said`, async (t) => {
			const nginx = await startNginx(t, { root, secure: issue() });
			const error = await refused(daemon, 'tls', nginx.url('/m/model.json'));
			assert.equal(error.code, 'FETCH_FAILED');
			assert.ok(error.detail.includes(`the certificate of 127.0.0.1 is refused: ${says}`), error.detail);
			assert.deepEqual((await nginx.told()).filter(({ status }) => status === 200), []);
		});
	}

	test('waits for a connection as long as import.connect_timeout says', async (t) => {
		const silent = net.createServer(() => {}); // a handshake is part of it
		await new Promise((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
		const own = await startDaemon(t, { set: { ...FROM_HERE, 'import.attempts': 1, 'import.connect_timeout': '300ms' } });
		const { port } = silent.address();
		const error = await refused(own, 'm', `https://127.0.0.1:${port}/model.json`);
		assert.equal(error.code, 'FETCH_TIMED_OUT');
		assert.ok(error.detail.includes(`no connection to port ${port} of 127.0.0.1 after 300 ms`), error.detail);
		await own.stop();
		silent.close();
	});
});
