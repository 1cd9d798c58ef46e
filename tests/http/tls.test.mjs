// SPDX-License-Identifier: Apache-2.0
// TLS: what clients of others say to it, what is refused, and certificates that change under them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { NO_FORMS, runModeld, scratchDir, startDaemon, until, useDaemon, within } from '../lib/daemon.mjs';
import { get, head, published, request } from '../lib/http.mjs';
import { addGraph, denseModel, shardsOf } from '../lib/models.mjs';
import { freePort } from '../lib/ports.mjs';
import { Authority } from '../lib/tls.mjs';

const run = promisify(execFile);
const authority = new Authority();
const ca = fs.readFileSync(authority.file);
const first = authority.issue('localhost', '127.0.0.1');
const second = authority.issue('localhost', '127.0.0.1');
const listen = 'tls:127.0.0.1:0';
const SHARD = 1 << 20;

const settings = ({ certFile, keyFile }) => ({ 'tls.certificate': certFile, 'tls.key': keyFile });
const serial = (pem) => new crypto.X509Certificate(pem).serialNumber;

// Copies that a test may overwrite.
function changeable({ certFile, keyFile }) {
	const dir = scratchDir('certificate');
	const files = { certFile: path.join(dir, 'cert.pem'), keyFile: path.join(dir, 'key.pem') };
	fs.copyFileSync(certFile, files.certFile);
	fs.copyFileSync(keyFile, files.keyFile);
	return files;
}

// The number of the certificate that a new connection gets.
function servedSerial(port) {
	return within('a handshake', new Promise((resolve, reject) => {
		const socket = tls.connect({ host: '127.0.0.1', port, ca }, () => {
			resolve(socket.getPeerCertificate().serialNumber);
			socket.destroy();
		});
		socket.on('error', reject);
	}));
}

// What openssl's client says of a handshake.
async function handshake(port, ...words) {
	const client = run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...words], { timeout: 60_000 });
	client.child.stdin.end();
	return client.then(({ stdout, stderr }) => stdout + stderr, ({ stdout, stderr }) => stdout + stderr);
}

const curl = async (...words) => (await run('curl', ['-sS', '--max-time', '60', '--cacert', authority.file, ...words])).stdout;

describe('over TLS', () => {
	const daemon = useDaemon({ listen, ca, set: settings(first) });
	const model = addGraph({ size: SHARD / 4, shardBytes: SHARD });
	const [shard] = shardsOf(model);

	before(() => published(daemon, 'm', model));

	test('curl publishes and loads, and answers name https', async () => {
		await until('the banner', () => /serves https:\/\/127\.0\.0\.1:\d+\n/.test(daemon.stdout));
		const dir = scratchDir('curl');
		const forms = denseModel().files.flatMap(({ path: name, bytes }) => {
			fs.writeFileSync(path.join(dir, name), bytes);
			return ['-F', `${name}=@${path.join(dir, name)}`];
		});
		const made = JSON.parse(await curl(...forms, daemon.url('/models/by-curl')));
		assert.equal(made.url, daemon.url('/models/by-curl@1/model.json'));
		const version = await curl('--http1.1', '-o', path.join(dir, 'loaded'), '-w', '%{http_version} %{response_code}', made.url);
		assert.equal(version, '1.1 200');
		assert.deepEqual(fs.readFileSync(path.join(dir, 'loaded')), Buffer.from(denseModel().files[0].bytes));
	});

	test('whole files, ranges, HEAD and 304 are as without', async () => {
		const target = `/models/m@1/${shard.path}`;
		const whole = await get(daemon, target);
		assert.equal(whole.status, 200);
		assert.ok(whole.body.equals(Buffer.from(shard.bytes)));
		assert.equal(whole.headers['access-control-allow-origin'], '*');
		const part = await get(daemon, target, { range: 'bytes=16380-600000' });
		assert.equal(part.status, 206);
		assert.equal(part.headers['content-range'], `bytes 16380-600000/${shard.bytes.length}`);
		assert.ok(part.body.equals(Buffer.from(shard.bytes.slice(16380, 600001))));
		const headed = await head(daemon, target);
		assert.equal(headed.headers['content-length'], String(shard.bytes.length));
		assert.equal(headed.headers.etag, whole.headers.etag);
		const known = await get(daemon, target, { 'if-none-match': whole.headers.etag });
		assert.equal(known.status, 304);
		assert.equal(known.body.length, 0);
		assert.equal((await get(daemon, '/models/m/model.json')).json.weightsManifest[0].paths[0], `../m@1/${shard.path}`);
	});

	test('an archive is streamed', async () => {
		const { status, body } = await get(daemon, '/models/m@1?tfjs-format=compressed');
		assert.equal(status, 200);
		assert.deepEqual([...body.subarray(0, 2)], [0x1f, 0x8b]);
	});

	test('a large body is taken', async () => {
		const name = crypto.randomUUID();
		await published(daemon, name, addGraph({ size: 2 * SHARD, shardBytes: 8 * SHARD, seed: 7 }));
		assert.equal((await get(daemon, `/models/${name}/model.json`)).status, 200);
	});

	test('TLS 1.2 and 1.3 are spoken', async () => {
		for (const [word, version] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
			const said = await handshake(daemon.port, word, '-CAfile', authority.file);
			assert.match(said, new RegExp(`New, ${version}, Cipher is `));
			assert.match(said, /Verify return code: 0 \(ok\)|Verification: OK/);
		}
	});

	test('older versions and weak ciphers are refused', async () => {
		for (const words of [['-tls1'], ['-tls1_1'], ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'],
			['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-SHA384'], ['-tls1_2', '-cipher', 'AES128-GCM-SHA256']]) {
			const weak = words.includes('-cipher') ? [...words.slice(0, -1), `${words.at(-1)}:@SECLEVEL=0`]
				: [...words, '-cipher', 'ALL:@SECLEVEL=0'];
			assert.match(await handshake(daemon.port, ...weak), /New, \(NONE\), Cipher is \(NONE\)/, weak.join(' '));
		}
	});

	test('sessions are resumed', async () => {
		const file = path.join(scratchDir('session'), 'session');
		const words = ['-tls1_2', '-CAfile', authority.file];
		assert.match(await handshake(daemon.port, ...words, '-sess_out', file), /^New, TLSv1\.2/m);
		assert.match(await handshake(daemon.port, ...words, '-sess_in', file), /^Reused, TLSv1\.2/m);
	});

	test('plain HTTP is neither answered nor redirected', async () => {
		const socket = net.connect(daemon.port, '127.0.0.1');
		let said = '';
		socket.on('data', (bytes) => (said += bytes.toString('latin1')));
		socket.on('error', () => {});
		socket.write('GET /models/m/model.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
		await within('the end of the connection', new Promise((resolve) => { socket.on('close', resolve); }));
		assert.doesNotMatch(said, /HTTP\//);
	});
});

test('HTTP stays without TLS beside it, with the same answers', async (t) => {
	const port = await freePort();
	const daemon = await startDaemon(t, { listen: `127.0.0.1:0 tls:127.0.0.1:${port}`, set: settings(first) });
	await published(daemon, 'm', denseModel());
	for (const target of ['/models/m/model.json', '/models/m@1/model.json', '/v1/models', '/models/none/x.bin']) {
		const [plain, secure] = [await get(daemon, target), await get({ port, ca }, target)];
		for (const answered of [plain, secure]) {
			delete answered.headers.date;
			delete answered.headers['x-request-id'];
		}
		assert.equal(plain.status, secure.status);
		assert.deepEqual(plain.headers, secure.headers);
		assert.deepEqual(plain.body, secure.body);
	}
	await daemon.stop();
});

describe('handshakes that do not come', () => {
	const daemon = useDaemon({ listen, ca, set: { ...settings(first), 'http.threads': '1' } });

	test('do not hold those of others', async (t) => {
		const hello = Buffer.from('16030100c8010000c40303', 'hex'); // the beginning of one
		const junk = [Buffer.alloc(0), hello, Buffer.from('GET / HTTP/1.1\r\n\r\n'), crypto.randomBytes(300)];
		const sockets = Array.from({ length: 60 }, (_, i) => {
			const socket = net.connect(daemon.port, '127.0.0.1');
			socket.on('error', () => {});
			socket.write(junk[i % junk.length]);
			return socket;
		});
		t.after(() => sockets.forEach((socket) => socket.destroy()));
		for (let i = 0; i < 20; i++) {
			assert.equal((await get(daemon, '/healthz')).status, 200);
		}
	});
});

describe('a certificate that changes', () => {
	test('is served from then on, and no connection is dropped', async (t) => {
		const files = changeable(first);
		// One connection says nothing before all is over.
		const daemon = await startDaemon(t, { listen, ca, set: { ...settings(files), 'http.head_timeout': '1h', 'http.timeout': '1h' } });
		const model = addGraph({ size: SHARD / 4, shardBytes: SHARD });
		const [shard] = shardsOf(model);
		await published(daemon, 'm', model);
		assert.equal(await servedSerial(daemon.port), serial(first.cert));

		let over = false;
		let done = 0;
		const load = Array.from({ length: 4 }, async () => {
			while (!over) {
				const { status, body } = await get(daemon, `/models/m@1/${shard.path}`);
				assert.equal(status, 200);
				assert.ok(body.equals(Buffer.from(shard.bytes)));
				done++;
			}
		});
		const old = tls.connect({ host: '127.0.0.1', port: daemon.port, ca });
		await within('a handshake', new Promise((resolve, reject) => old.on('secureConnect', resolve).on('error', reject)));
		for (const { certFile, keyFile, cert } of [second, first, second]) {
			fs.copyFileSync(certFile, files.certFile);
			fs.copyFileSync(keyFile, files.keyFile);
			daemon.signal('SIGHUP');
			await until('the new certificate', async () => await servedSerial(daemon.port) === serial(cert));
			const before = done;
			await until('more downloads', () => done > before + 4);
		}
		over = true;
		await Promise.all(load);

		// The connection from before all of it still works.
		let said = '';
		old.on('data', (bytes) => (said += bytes.toString('latin1')));
		old.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
		await within('an answer', new Promise((resolve) => { old.on('close', resolve); }));
		assert.match(said, /^HTTP\/1\.1 200 /);
		await daemon.stop();
	});

	test('stays when the new one is of no use', async (t) => {
		const files = changeable(first);
		const daemon = await startDaemon(t, { listen, ca, set: settings(files) });
		const complaints = () => daemon.stderr.match(/reading the certificate anew failed; the one from before stays/g)?.length ?? 0;
		const broken = [
			() => fs.writeFileSync(files.certFile, 'not a certificate'),
			() => fs.copyFileSync(second.certFile, files.certFile), // with the first one's key
			() => fs.rmSync(files.keyFile),
		];
		for (const spoil of broken) {
			const before = complaints();
			spoil();
			daemon.signal('SIGHUP');
			await until('a complaint', () => complaints() > before);
			assert.equal(await servedSerial(daemon.port), serial(first.cert));
		}
		assert.match(daemon.stderr, /is not that of the certificate/);
		fs.copyFileSync(second.keyFile, files.keyFile);
		daemon.signal('SIGHUP');
		await until('the new certificate', async () => await servedSerial(daemon.port) === serial(second.cert));
		await daemon.stop();
	});

	test('is noticed without a signal', async (t) => {
		const files = changeable(first);
		const daemon = await startDaemon(t, { listen, ca, set: { ...settings(files), 'store.gc_interval': '1s' } });
		fs.copyFileSync(second.keyFile, files.keyFile);
		fs.copyFileSync(second.certFile, files.certFile);
		await until('the new certificate', async () => await servedSerial(daemon.port) === serial(second.cert));
		await daemon.stop();
	});
});

// Encrypting reads the bytes in the daemon itself, where those of a file that was cut are not to be had.
test('a file that was cut ends its answer short, and nothing else', async (t) => {
	const daemon = await startDaemon(t, { listen, ca, set: { ...settings(first), ...NO_FORMS } });
	const model = addGraph({ size: SHARD / 4, shardBytes: SHARD });
	const [shard] = shardsOf(model);
	const target = `/models/m@1/${shard.path}`;
	await published(daemon, 'm', model);
	assert.equal((await get(daemon, target)).body.length, SHARD); // from now on it is mapped
	const digest = crypto.createHash('sha256').update(shard.bytes).digest('hex');
	const [file] = daemon.files('blobs').filter((one) => path.basename(one).startsWith(digest));
	fs.chmodSync(file, 0o640);
	fs.truncateSync(file, 100_000);
	const answered = await request(daemon, 'GET', target).then(({ status }) => status, (error) => error.code);
	assert.notEqual(answered, 200);
	assert.equal((await get(daemon, '/healthz')).status, 200);
	await daemon.stop();
});

describe('the configuration', () => {
	const check = (files, ...words) => runModeld(['check-config', '--config', '/dev/null', '--store', '/nonexistent',
		'--listen', listen, ...Object.entries(settings(files)).flatMap(([key, value]) => ['--set', `${key}=${value}`]), ...words]);
	const missing = '/nonexistent/file.pem';

	test('is checked with the certificate and its key', async () => {
		assert.equal((await check(first)).code, 0);
		for (const [files, said] of [
			[{ certFile: '', keyFile: '' }, /tls:127\.0\.0\.1:0 needs both tls\.certificate and tls\.key/],
			[{ ...first, keyFile: '' }, /needs both/],
			[{ ...first, certFile: missing }, /\/nonexistent\/file\.pem/],
			[{ ...first, keyFile: missing }, /\/nonexistent\/file\.pem/],
			[{ ...first, keyFile: second.keyFile }, /the key in .* is not that of the certificate in /],
			[{ ...first, certFile: first.keyFile }, /expected a certificate/],
		]) {
			const { code, stderr } = await check(files);
			assert.equal(code, 78, stderr);
			assert.match(stderr, said);
		}
	});

	test('warns of a certificate that has expired and of a key that everybody may read', async () => {
		const expired = authority.issueFor('-1', 'localhost');
		fs.chmodSync(expired.keyFile, 0o644);
		const { code, stderr } = await check(expired);
		assert.equal(code, 0);
		assert.match(stderr, /level=warning .*the certificate has expired: it was valid until \w+, /);
		assert.match(stderr, /every user of this machine may read the key/);
		assert.equal((await check(first)).stderr, '');
	});
});
