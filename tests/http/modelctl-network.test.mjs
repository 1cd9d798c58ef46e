// SPDX-License-Identifier: Apache-2.0
// modelctl on the way to its server: TLS and whom it trusts, proxies of the environment, IPv6, a path before
// the API, and names that have to be encoded.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';

import { listFiles, scratchDir, startDaemon, useDaemon } from '../lib/daemon.mjs';
import { NETWORK, SERVER, USAGE, folderOf, modelctl } from '../lib/modelctl.mjs';
import { denseModel, utf8, withFile } from '../lib/models.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { Authority } from '../lib/tls.mjs';

const model = denseModel({ seed: 1, inputs: 16, shardBytes: 40 });

function assertSame(dir, { files }) {
	assert.deepEqual(listFiles(dir).map((file) => path.relative(dir, file)).sort(), files.map(({ path: name }) => name).sort());
	for (const { path: name, bytes } of files) {
		assert.ok(Buffer.from(bytes).equals(fs.readFileSync(path.join(dir, name))), name);
	}
}

// There and back.
async function assertTravels(daemon, options = {}, what = model) {
	const pushed = await modelctl(daemon, ['push', folderOf(what), 'team/m'], options);
	assert.equal(pushed.code, 0, pushed.stderr);
	const dir = path.join(scratchDir('pull'), 'd');
	const pulled = await modelctl(daemon, ['pull', 'team/m', '-o', dir], options);
	assert.equal(pulled.code, 0, pulled.stderr);
	assertSame(dir, what);
}

describe('over TLS', () => {
	const authority = new Authority();
	const own = authority.issue('127.0.0.1');
	const daemon = useDaemon({ listen: 'tls:127.0.0.1:0', ca: own.cert, set: { 'tls.certificate': own.certFile, 'tls.key': own.keyFile } });

	test('a certificate that nobody knows is refused, and --ca, MODELCTL_CA or the configuration trusts it', async () => {
		const stranger = await modelctl(daemon, ['ls']);
		assert.equal(stranger.code, NETWORK);
		assert.match(stranger.stderr, /certificate.*\n {2}--ca FILE trusts the certificate in FILE, or those that it has signed\.\n$/);
		await assertTravels(daemon, { env: { MODELCTL_CA: authority.file } });
		assert.equal((await modelctl(daemon, ['ls', '--ca', authority.file])).code, 0);
		// That of the server itself, as of one that signed it alone.
		assert.equal((await modelctl(daemon, ['ls', '--ca', own.certFile])).code, 0);
	});

	test('login keeps what was trusted, for that server alone', async () => {
		const XDG_CONFIG_HOME = scratchDir('config');
		const env = { XDG_CONFIG_HOME };
		const done = await modelctl(undefined, ['login', daemon.origin, '--ca', path.relative(XDG_CONFIG_HOME, authority.file)],
			{ env, cwd: XDG_CONFIG_HOME });
		assert.equal(done.code, 0, done.stderr);
		assert.match(fs.readFileSync(path.join(XDG_CONFIG_HOME, 'modelctl/config'), 'utf8'), new RegExp(`^ca = ${fs.realpathSync(authority.file)}$`, 'm'));
		assert.equal((await modelctl(undefined, ['ls'], { env })).code, 0);
		const elsewhere = await modelctl(undefined, ['ls', '-s', `https://localhost:${daemon.port}`], { env });
		assert.equal(elsewhere.code, NETWORK);
		assert.match(elsewhere.stderr, /--ca FILE/);
	});

	test('what is no file of certificates is told', async () => {
		const text = path.join(scratchDir('ca'), 'x.pem');
		fs.writeFileSync(text, 'hello');
		for (const [file, said] of [['/nowhere.pem', /certificates in \/nowhere\.pem: No such file/], [scratchDir('ca'), /no file of certificates/], [text, /PEM/]]) {
			const done = await modelctl(daemon, ['ls', '--ca', file]);
			assert.equal(done.code, USAGE, done.stderr);
			assert.match(done.stderr, said);
		}
	});

	test('TLS where there is none, and none where there is, are told', async (t) => {
		const plain = await startDaemon(t);
		const wrong = await modelctl(undefined, ['ls', '-s', `https://127.0.0.1:${plain.port}`]);
		assert.equal(wrong.code, NETWORK);
		assert.match(wrong.stderr, /Does it speak TLS at that port\?/);
		const other = await modelctl(undefined, ['ls', '-s', `http://127.0.0.1:${daemon.port}`]);
		assert.ok([NETWORK, SERVER].includes(other.code), other.stderr);
		await plain.stop();
	});
});

// A proxy that passes on what CONNECT asks for, or whole requests; and remembers who.
async function startForward(t, { refuse = false } = {}) {
	const seen = [];
	const server = net.createServer((client) => {
		client.on('error', () => {});
		client.once('data', (bytes) => {
			const [line] = String(bytes).split('\r\n');
			seen.push(line);
			const found = /^(CONNECT) ([^:]+):(\d+)|^\w+ http:\/\/([^:/]+):(\d+)/.exec(line);
			if (refuse) {
				client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
				return;
			}
			const upstream = net.connect(Number(found[3] ?? found[5]), '127.0.0.1');
			upstream.on('error', () => client.destroy());
			if (found[1]) {
				client.write('HTTP/1.1 200 OK\r\n\r\n');
			} else {
				upstream.write(String(bytes).replace(/http:\/\/[^/]+/, ''));
			}
			client.pipe(upstream).pipe(client);
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.after(() => server.close());
	return { origin: `http://127.0.0.1:${server.address().port}`, seen };
}

describe('through proxies', () => {
	const daemon = useDaemon();

	test('http_proxy is taken, and no_proxy leaves hosts out', async (t) => {
		const proxy = await startForward(t);
		const ls = (env) => modelctl(daemon, ['ls'], { env });
		assert.equal((await ls({ http_proxy: proxy.origin })).code, 0);
		assert.match(proxy.seen[0], /^GET http:\/\/127\.0\.0\.1:\d+\/v1\/models/);
		assert.equal((await ls({ http_proxy: proxy.origin, no_proxy: '127.0.0.1' })).code, 0);
		assert.equal(proxy.seen.length, 1);
	});

	test('https_proxy is asked for a tunnel, in which the server is known by its own certificate', async (t) => {
		const authority = new Authority();
		const own = authority.issue('models.test');
		const secure = await startDaemon(t, { listen: 'tls:127.0.0.1:0', ca: own.cert,
			set: { 'tls.certificate': own.certFile, 'tls.key': own.keyFile, 'http.hosts': 'models.test' } });
		const proxy = await startForward(t);
		const done = await modelctl(undefined, ['ls', '-s', `https://models.test:${secure.port}`],
			{ env: { https_proxy: proxy.origin, MODELCTL_CA: authority.file } });
		assert.equal(done.code, 0, done.stderr);
		assert.deepEqual(proxy.seen, [`CONNECT models.test:${secure.port} HTTP/1.1`]);
		await secure.stop();
	});

	test('a proxy that is not there, or refuses, is told by its variable', async (t) => {
		const refusing = await startForward(t, { refuse: true });
		for (const [env, server] of [[{ http_proxy: 'http://127.0.0.1:1' }, daemon.origin], [{ https_proxy: 'http://127.0.0.1:1' }, 'https://models.test'],
			[{ https_proxy: refusing.origin }, 'https://models.test'], [{ all_proxy: 'http://nowhere.invalid' }, daemon.origin]]) {
			const done = await modelctl(undefined, ['ls', '-s', server], { env });
			assert.equal(done.code, NETWORK, done.stderr);
			assert.match(done.stderr, new RegExp(`The way is through the proxy that ${Object.keys(env)[0]} names`));
		}
	});
});

describe('where servers are', () => {
	test('IPv6', async (t) => {
		const daemon = await startDaemon(t, { listen: '[::1]:0' });
		await assertTravels({ origin: `http://[::1]:${daemon.port}` });
		const gone = await modelctl({ origin: 'http://[::1]:1' }, ['ls']);
		assert.equal(gone.code, NETWORK);
		assert.match(gone.stderr, /no answer: \[::1\]:1: /);
		await daemon.stop();
	});

	test('behind a path of a proxy, with or without a slash at its end', async (t) => {
		const daemon = await startDaemon(t);
		const nginx = await startNginx(t, { more: `location /registry/ { proxy_pass ${daemon.origin}/; client_max_body_size 0;
			proxy_set_header Host 127.0.0.1:${daemon.port}; proxy_request_buffering off; proxy_http_version 1.1; }` });
		for (const end of ['', '/']) {
			await assertTravels({ origin: nginx.url(`/registry${end}`) });
		}
		assert.equal((await modelctl({ origin: nginx.url('/registry') }, ['show', '-q', 'team/m'])).stdout, 'team/m@1\n');
		const wrong = await modelctl({ origin: nginx.url('/elsewhere') }, ['ls']);
		assert.equal(wrong.code, SERVER);
		assert.match(wrong.stderr, /not as modeld does\n {2}Is --server right/);
		const path_ = await modelctl({ origin: `${daemon.origin}/none` }, ['ls']);
		assert.equal(path_.code, SERVER);
		assert.match(path_.stderr, /Is the path of --server right\?/);
		await daemon.stop();
	});

	test('a user in the URL is refused, and not repeated', async () => {
		const done = await modelctl({ origin: 'http://alice:geheim@127.0.0.1:1' }, ['ls']);
		assert.equal(done.code, USAGE);
		assert.doesNotMatch(done.stderr, /geheim|alice/);
		assert.match(done.stderr, /MODELCTL_TOKEN/);
	});
});

describe('names of files', () => {
	const daemon = useDaemon();
	const odd = ['a b.txt', 'ümläut/日本.txt', 'plus+and&semi;.txt', "it's (one), [two].txt", 'at@=.bin', '~tilde!$*.txt'];

	test('that have to be encoded go there and back', async () => {
		const what = odd.reduce((one, name) => withFile(one, name, utf8(name)), model);
		await assertTravels(daemon, {}, what);
		const { json } = await modelctl(daemon, ['show', 'team/m', '--json']);
		assert.deepEqual(json.files.map((file) => file.path).filter((name) => odd.includes(name)).sort(), [...odd].sort());
	});

	test('that no URL can have are refused before a byte is sent', async () => {
		for (const name of ['100%.txt', 'a#b.txt', 'what?.txt', 'back\\slash.txt']) {
			const done = await modelctl({ origin: 'http://127.0.0.1:1' }, ['push', folderOf(withFile(model, name, utf8('x'))), 'm']);
			assert.equal(done.code, 3, done.stderr);
			assert.ok(done.stderr.includes(name), done.stderr);
		}
	});
});
