// SPDX-License-Identifier: Apache-2.0
// Nobody makes the daemon connect to this machine or its neighbours by an import: not by any spelling, by a
// redirect, by a manifest, or by the environment. Somebody listens there, and is never reached.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { file, redirect } from '../lib/answers.mjs';
import { scratchDir, startDaemon, useDaemon } from '../lib/daemon.mjs';
import { assertHolds, FROM_HERE, imported, importOf, refused, versionsOf } from '../lib/imports.mjs';
import { addGraph, shardsOf, withJson } from '../lib/models.mjs';
import { Canary } from '../lib/network.mjs';
import { startOrigin } from '../lib/origin.mjs';

const RULE = /\b(loopback|private|link-local|carrier-nat|multicast|metadata|mapped|nat64|reserved|scheme|port)\b/;
const CODES = [301, 302, 303, 307, 308];

const model = addGraph({ seed: 1, size: 24, shardBytes: 32 });

// Hosts that are this machine, or are no host.
const HERE = ['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7F.0.0.1', '0x7f.1', '0177.0.0.1', '0177.1',
	'017700000001', '127.0x0.0.1', '0x7f.0.0x0.01', '127.000.000.001', '127.0.0.2', '127.255.255.254', '0', '0.0.0.0',
	'0x0', '00000000', '[::1]', '[0:0:0:0:0:0:0:1]', '[0000:0000:0000:0000:0000:0000:0000:0001]', '[::]', '[::0]',
	'[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:FFFF:7F00:0001]', '[::127.0.0.1]', '[::7f00:1]',
	'[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]',
	'[::1%25lo]', '[fe80::1%25lo]', 'localhost', 'LOCALHOST', 'a.localhost'];
const NO_HOST = ['１２７.０.０.１', '127。0。0。1', '①②⑦.⓪.⓪.①', 'ⓛocalhost', '127.0.0.1\t', '127.0.0.1 ', '127.0.0.1\r\nHost: a',
	'user@127.0.0.1', 'user:pass@127.0.0.1', 'a.example@127.0.0.1', 'a.example:80@127.0.0.1', 'a.example\\@127.0.0.1',
	'127.0.0.1\\a.example', '@127.0.0.1', ':@127.0.0.1', '[::1', '::1', '[127.0.0.1]', '[::1]x', '', '%00',
	'127.0.0.1%00', '127.0.0.1%2f'];

const assertRefusal = ({ code, detail }, what) => {
	assert.match(code, /^(FETCH_REFUSED|BAD_URL)$/, `${what}: ${code} ${detail}`);
	if (code === 'FETCH_REFUSED') {
		assert.match(detail, RULE, what);
	}
};

describe('with nothing in import.allow', () => {
	const daemon = useDaemon();
	const canary = new Canary();
	before(() => canary.listenAnywhere(['127.0.0.1', '::1', '127.0.0.2']));
	after(() => canary.stop());
	afterEach(() => { canary.reached = []; });

	const never = async (url) => {
		const error = await refused(daemon, 'never', url);
		assertRefusal(error, url);
		assert.deepEqual(canary.reached, [], url);
		return error;
	};

	for (const host of HERE) {
		test(`this machine is not reached as ${host}`, async () => {
			for (const scheme of ['https', 'http']) {
				const { code } = await never(`${scheme}://${host}:${canary.port}/model.json`);
				// Some of these are no hosts to libcurl's parser, which is as well.
				assert.ok(code === 'FETCH_REFUSED' || /[%\]]/.test(host), `${host}: ${code}`);
			}
		});
	}

	for (const host of NO_HOST) {
		test(`${JSON.stringify(host)} is no host`, async () => {
			await never(`https://${host}:${canary.port}/model.json`);
		});
	}

	for (const url of ['file:///etc/passwd', 'FILE:///etc/passwd', 'file://localhost/etc/passwd',
		'ftp://a.example/model.json', 'ftps://a.example/m', 'sftp://a.example/m', 'scp://a.example/m',
		'gopher://127.0.0.1:70/_x', 'dict://127.0.0.1:11211/stat', 'ldap://127.0.0.1/', 'ldaps://127.0.0.1/',
		'tftp://127.0.0.1/x', 'telnet://127.0.0.1:23', 'smtp://127.0.0.1', 'imap://127.0.0.1', 'pop3://127.0.0.1',
		'rtsp://127.0.0.1/x', 'smb://127.0.0.1/share/x', 'mqtt://127.0.0.1/x', 'ws://127.0.0.1/',
		'data:application/json,{}', 'javascript:1', 'unix:/run/x.sock', 'model.json', '/model.json',
		'//a.example/model.json', 'https:', 'https:a.example', 'https:/a.example/m', 'https:///a.example/m',
		' https://a.example/m', 'https//a.example/m', '', 'httpſ://a.example/m']) {
		test(`${JSON.stringify(url)} is no URL to fetch from`, async () => {
			const answered = await importOf(daemon, 'never', url);
			assert.equal(answered.status, 400, answered.text);
			assert.equal(answered.json.code, 'BAD_URL', answered.text);
		});
	}

	test('a URL of more than 2048 bytes is none', async () => {
		const answered = await importOf(daemon, 'never', `https://a.example/${'a'.repeat(2048)}`);
		assert.equal(answered.status, 400);
	});

	test('plain http is refused, by the scheme', async () => {
		const error = await refused(daemon, 'never', `http://93.184.216.34:${canary.port}/model.json`);
		assert.equal(error.code, 'FETCH_REFUSED');
		assert.match(error.detail, /scheme/);
	});

	for (const port of [1, 7, 19, 21, 22, 23, 25, 53, 69, 110, 111, 119, 135, 139, 143, 179, 389, 445, 465, 514, 587, 636,
		993, 995, 2049, 3659, 4045, 6000, 6667]) {
		test(`port ${port} is refused`, async () => {
			const error = await refused(daemon, 'never', `https://93.184.216.34:${port}/model.json`);
			assert.equal(error.code, 'FETCH_REFUSED');
			assert.match(error.detail, /\bport\b/);
		});
	}

	for (const port of ['0', '65536', '99999999999', '-1', '0x50', '80a', ' 80']) {
		test(`${JSON.stringify(port)} is no port`, async () => {
			await never(`https://a.example:${port}/model.json`);
		});
	}
});

describe('with 127.0.0.1 in import.allow', () => {
	const daemon = useDaemon({ set: { ...FROM_HERE, 'import.attempts': 1 } });
	const canary = new Canary();
	before(() => canary.listenAnywhere(['127.0.0.2', '::1']));
	after(() => canary.stop());
	afterEach(() => { canary.reached = []; });

	const GOALS = ['127.0.0.2', '127.2', '0x7f.0.0.2', '2130706434', '[::1]', '[::ffff:127.0.0.2]', '[64:ff9b::7f00:2]',
		'0.0.0.0',
		'169.254.169.254', '10.0.0.1', '192.168.1.1', '[fe80::1]', '[fd00::1]'];

	async function neverThrough(t, answer, where, port = canary.port) {
		const origin = await startOrigin(t);
		const [shard] = shardsOf(model);
		origin.serve('/m', model, (bytes) => file(bytes));
		origin.on(`/m/${where === 'shard' ? shard.path : 'model.json'}`, answer);
		const error = await refused(daemon, 'never', origin.url('/m/model.json'));
		assertRefusal(error, port);
		assert.deepEqual(canary.reached, []);
		assert.deepEqual(await versionsOf(daemon, 'never'), []);
		return { error, origin };
	}

	for (const goal of GOALS) {
		for (const scheme of goal === GOALS[0] ? ['http', 'https'] : ['http']) {
			test(`no redirect leads to ${scheme}://${goal}`, async (t) => {
				for (const code of CODES) {
					for (const where of ['model.json', 'shard']) {
						await neverThrough(t, redirect(code, `${scheme}://${goal}:${canary.port}/model.json`), where);
					}
				}
			});
		}
	}

	for (const location of ['file:///etc/passwd', 'gopher://127.0.0.2/', 'ftp://127.0.0.2/x', '//127.0.0.2/x',
		'http://user@127.0.0.1/', 'http://127.0.0.1\\@127.0.0.2/',
		'http://', 'http:///', 'dict://127.0.0.2:1/']) {
		test(`no redirect leads to ${location}`, async (t) => {
			const origin = await startOrigin(t);
			origin.on('/m/model.json', redirect(302, location));
			const error = await refused(daemon, 'never', origin.url('/m/model.json'));
			assert.match(error.code, /^(FETCH_REFUSED|BAD_URL|FETCH_FAILED)$/, JSON.stringify(error));
			assert.deepEqual(canary.reached, []);
		});
	}

	test('a chain of redirects is judged at each hop', async (t) => {
		const origin = await startOrigin(t);
		origin.on('/1', redirect(301, '/2')).on('/2', redirect(307, origin.url('/3')));
		origin.on('/3', redirect(302, `http://127.0.0.2:${canary.port}/`));
		assertRefusal(await refused(daemon, 'never', origin.url('/1')), 'the third hop');
		assert.deepEqual(origin.targets(), ['/1', '/2', '/3']);
		assert.deepEqual(canary.reached, []);
	});

	test('redirects end after five', async (t) => {
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		origin.on('/loop', redirect(302, '/loop'));
		const looped = await refused(daemon, 'never', origin.url('/loop'));
		assert.match(looped.code, /^FETCH_/);
		assert.match(looped.detail, /redirect/i);
		assert.equal(origin.seen('/loop').length, 6);
		for (let n = 1; n <= 6; n++) {
			origin.on(`/m/${n}`, redirect(302, n === 1 ? 'model.json' : `/m/${n - 1}`));
		}
		await imported(daemon, 'five', origin.url('/m/5'));
		assert.match((await refused(daemon, 'six', origin.url('/m/6'))).detail, /redirect/i);
	});

	const SHARDS = {
		'an http URL': (port) => `http://127.0.0.2:${port}/w.bin`,
		'a URL without scheme': (port) => `//127.0.0.2:${port}/w.bin`,
		'an https URL': (port) => `https://[::1]:${port}/w.bin`, 'a file URL': () => 'file:///etc/passwd',
		'an absolute path': () => '/etc/passwd', 'a path above': () => '../../etc/passwd',
		'a path above its folder': () => 'a/../../w.bin', 'a path above with a backslash': () => '..\\w.bin',
		'a coded path above': () => '%2e%2e/w.bin', 'a path with a query': () => 'w.bin?x=1',
		'a path with a fragment': () => 'w.bin#x', 'a path with an empty segment': () => 'a//b.bin',
		'a drive': () => 'C:/w.bin', 'a NUL': () => 'w\u0000.bin', 'a line end': () => 'w.bin\r\nHost: x',
	};
	for (const [what, spell] of Object.entries(SHARDS)) {
		test(`a manifest cannot name ${what}`, async (t) => {
			const origin = await startOrigin(t);
			const other = withJson(addGraph({ seed: 2 }), (json) => {
				json.weightsManifest[0].paths = [spell(canary.port)];
				return json;
			});
			origin.on('/m/model.json', file(Buffer.from(other.files[0].bytes)));
			const error = await refused(daemon, 'never', origin.url('/m/model.json'));
			assert.match(error.code, /^(NOT_LOADABLE|BAD_PATH|FETCH_REFUSED|BAD_URL)$/, JSON.stringify(error));
			assert.deepEqual(origin.targets(), ['/m/model.json']);
			assert.deepEqual(canary.reached, []);
		});
	}

	test('weightPathPrefix is judged like the URL', async (t) => {
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		for (const prefix of [`http://127.0.0.2:${canary.port}/`, `https://[::1]:${canary.port}/`, 'file:///etc/',
			'http://user@127.0.0.1/', '/m/']) {
			assertRefusal(await refused(daemon, 'never', { url: origin.url('/m/model.json'), weightPathPrefix: prefix }), prefix);
		}
		assert.deepEqual(canary.reached, []);
	});

	test('what else is on this machine is not allowed by it', async (t) => {
		const origin = await startOrigin(t, { host: '127.0.0.3' });
		const error = await refused(daemon, 'never', origin.url('/m/model.json'));
		assert.match(error.detail, /loopback/);
		assert.match(error.detail, /import\.allow/);
		assert.equal(origin.connections, 0);
	});
});

describe('the environment of the daemon', () => {
	test('gives it no proxy, no .netrc, no .curlrc', async (t) => {
		const canary = await new Canary().listenAnywhere(['127.0.0.1']);
		t.after(() => canary.stop());
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes));
		const home = scratchDir('home');
		fs.writeFileSync(path.join(home, '.netrc'),
			'machine 127.0.0.1 login netrc-user password netrc-password\ndefault login netrc-user password x\n', { mode: 0o600 });
		fs.writeFileSync(path.join(home, '.curlrc'),
			`proxy = "http://127.0.0.1:${canary.port}"\nuser = "curlrc:secret"\nheader = "X-Curlrc: 1"\n`);
		const proxy = `http://127.0.0.1:${canary.port}`;
		const env = { HOME: home, CURL_HOME: home, XDG_CONFIG_HOME: home, NETRC: path.join(home, '.netrc'), no_proxy: '',
			NO_PROXY: '' };
		for (const name of ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'ftp_proxy', 'socks_proxy']) {
			env[name] = proxy;
		}
		const daemon = await startDaemon(t, { set: FROM_HERE, env });
		await imported(daemon, 'm', origin.url('/m/model.json'));
		await assertHolds(daemon, 'm', 1, model.files);
		assert.deepEqual(canary.reached, []);
		for (const { target, text } of origin.seen()) {
			assert.ok(target.startsWith('/m/'), target);
			assert.doesNotMatch(text, /netrc|curlrc|^(proxy-|via|authorization)/im);
		}
		await daemon.stop();
	});

	test('does not matter for cookies: what a host sets is not sent', async (t) => {
		const daemon = await startDaemon(t, { set: FROM_HERE });
		const origin = await startOrigin(t);
		origin.serve('/m', model, (bytes) => file(bytes, { fields: { 'Set-Cookie': 'a=b; Path=/' } }));
		await imported(daemon, 'm', origin.url('/m/model.json'));
		origin.seen().forEach(({ text }) => assert.doesNotMatch(text, /^cookie/im));
	});
});
