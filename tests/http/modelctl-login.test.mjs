// SPDX-License-Identifier: Apache-2.0
// modelctl login, which keeps a server and its token.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';

import { scratchDir, useDaemon } from '../lib/daemon.mjs';
import { FORBIDDEN, NETWORK, USAGE, modelctl } from '../lib/modelctl.mjs';

// A server that takes one token.
async function guarded(t, token) {
	const server = http.createServer((request, response) => {
		const right = request.headers.authorization === `Bearer ${token}`;
		response.writeHead(right ? 200 : 401, { 'Content-Type': 'application/json' }).end(JSON.stringify(
			right ? { models: [] } : { code: 'TOKEN_REQUIRED', detail: 'a token is needed' }));
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.after(() => server.close());
	return `http://127.0.0.1:${server.address().port}`;
}

describe('login', () => {
	const daemon = useDaemon();

	function place() {
		const XDG_CONFIG_HOME = scratchDir('config');
		return { env: { XDG_CONFIG_HOME }, file: path.join(XDG_CONFIG_HOME, 'modelctl/config') };
	}

	test('keeps what standard input says, for its owner alone, and later commands use it', async (t) => {
		const server = await guarded(t, 'secret');
		const { env, file } = place();
		const done = await modelctl(undefined, ['login', server], { env, input: 'secret\n' });
		assert.equal(done.code, 0, done.stderr);
		assert.equal(fs.statSync(file).mode & 0o777, 0o600);
		assert.match(fs.readFileSync(file, 'utf8'), new RegExp(`^server = ${server}\ntoken = secret$`, 'm'));
		assert.doesNotMatch(done.stdout + done.stderr, /secret/);
		assert.equal((await modelctl(undefined, ['ls'], { env })).code, 0);
		assert.equal((await modelctl(undefined, ['ls', '--server', server])).code, FORBIDDEN);
	});

	test('keeps nothing that the server does not take', async (t) => {
		const server = await guarded(t, 'secret');
		const { env, file } = place();
		const wrong = await modelctl(undefined, ['login', server], { env, input: 'wrong\n' });
		assert.equal(wrong.code, FORBIDDEN);
		assert.match(wrong.stderr, /does not take this token/);
		assert.equal((await modelctl(undefined, ['login', 'http://127.0.0.1:1'], { env })).code, NETWORK);
		assert.equal((await modelctl(undefined, ['login', 'nonsense'], { env })).code, USAGE);
		assert.equal((await modelctl(undefined, ['login', server], { env, input: 'two words\n' })).code, USAGE);
		assert.equal(fs.existsSync(file), false);
	});

	test('takes the token of the environment, and none for a server that needs none', async (t) => {
		const server = await guarded(t, 'secret');
		const first = place();
		const done = await modelctl(undefined, ['login', server, '--json'], { env: { ...first.env, MODELCTL_TOKEN: 'secret' } });
		assert.deepEqual(done.json, { server, token: true, file: first.file });
		const open = place();
		const without = await modelctl(undefined, ['login', daemon.origin], { env: open.env, input: '' });
		assert.equal(without.code, 0, without.stderr);
		assert.doesNotMatch(fs.readFileSync(open.file, 'utf8'), /token/);
		assert.equal((await modelctl(undefined, ['ls'], { env: open.env })).code, 0);
	});
});
