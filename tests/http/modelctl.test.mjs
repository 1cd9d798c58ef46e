// SPDX-License-Identifier: Apache-2.0
// modelctl: its manners, and the commands that look at versions and labels and delete them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { scratchDir, useDaemon } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { FORBIDDEN, NETWORK, SERVER, USAGE, clientEnv, modelctl, program } from '../lib/modelctl.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';

// A server that answers every request alike and remembers what it was asked.
async function stranger(t, status, headers, body) {
	const seen = [];
	const server = http.createServer((request, response) => {
		seen.push(request);
		response.writeHead(status, headers).end(body);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.after(() => server.close());
	return { origin: `http://127.0.0.1:${server.address().port}`, seen };
}

async function run(daemon, ...args) {
	const done = await modelctl(daemon, args);
	assert.equal(done.code, 0, done.stderr);
	return done;
}

async function refused(daemon, exit, ...args) {
	const done = await modelctl(daemon, args);
	assert.equal(done.code, exit, done.stderr);
	assert.match(done.stderr, /^modelctl: /m);
	return done;
}

function configHome(text, mode = 0o600) {
	const dir = scratchDir('config');
	fs.mkdirSync(path.join(dir, 'modelctl'));
	fs.writeFileSync(path.join(dir, 'modelctl', 'config'), text, { mode });
	return { XDG_CONFIG_HOME: dir };
}

describe('looking and deleting', () => {
	const daemon = useDaemon();

	before(async () => {
		await published(daemon, 'team/d', denseModel({ seed: 1 }));
		await published(daemon, 'team/d', denseModel({ seed: 2 }));
		await published(daemon, 'team/g', addGraph());
		await published(daemon, 'other', denseModel({ seed: 3 }));
	});

	test('ls lists models, those of a prefix, and with -q their names alone', async () => {
		const all = await run(daemon, 'ls');
		assert.match(all.stdout, /^NAME +LATEST +VERSIONS/);
		assert.match(all.stdout, /^team\/d +2 +2 /m);
		assert.match(all.stdout, /^other /m);
		assert.equal((await run(daemon, 'ls', 'team/', '-q')).stdout, 'team/d\nteam/g\n');
		assert.equal((await run(daemon, '-q', 'ls', 'nobody')).stdout, '');
		assert.match((await run(daemon, 'ls', 'nobody')).stderr, /no such models/);
	});

	test('ls --json is one document with every page', async () => {
		await Promise.all(Array.from({ length: 3 }, (_, i) =>
			published(daemon, `pages/m${i}`, denseModel({ seed: i + 10 }))));
		const { json } = await run(daemon, 'ls', 'pages/', '--json');
		assert.deepEqual(json.models.map(({ name, latest, versions }) => ({ name, latest, versions })),
			[0, 1, 2].map((i) => ({ name: `pages/m${i}`, latest: 1, versions: 1 })));
	});

	test('ls follows the pages of a server that gives few at a time', async (t) => {
		const targets = [];
		const server = http.createServer((request, response) => {
			targets.push(request.url);
			const next = request.url.includes('page_token=a') ? {} : { next_page_token: 'a/b' };
			response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(
				{ models: [{ name: next.next_page_token ? 'a' : 'b', latest: 1 }], ...next }));
		});
		await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
		t.after(() => server.close());
		const done = await run({ origin: `http://127.0.0.1:${server.address().port}` }, 'ls', '-q', 'A b');
		assert.equal(done.stdout, 'a\nb\n');
		assert.deepEqual(targets, ['/v1/models?limit=500&prefix=A%20b',
			'/v1/models?limit=500&prefix=A%20b&page_token=a/b']);
	});

	test('show describes a version by number, label, digest, or the newest', async () => {
		const newest = await run(daemon, 'show', 'team/d');
		assert.match(newest.stdout, /^team\/d@2\n/);
		assert.match(newest.stdout, /layers-model, 2 layers, 2 weights/);
		assert.match(newest.stdout, /inputs +dense_input float32 \[\?,4\]/);
		assert.match(newest.stdout, /^model\.json +.* [0-9a-f]{64}$/m);
		const { json } = await run(daemon, 'show', 'team/d@1', '--json');
		assert.equal(json.version, 1);
		assert.equal((await run(daemon, 'show', '-q', `team/d@${json.root_digest}`)).stdout, 'team/d@1\n');
		assert.match((await run(daemon, 'show', 'team/g@latest')).stdout, /graph-model, 3 nodes, 3 ops/);
	});

	test('a version that is not there is told with what to do', async () => {
		const absent = await refused(daemon, SERVER, 'show', 'nobody');
		assert.match(absent.stderr, /nobody.*no model/);
		assert.match(absent.stderr, /modelctl ls/);
		await refused(daemon, SERVER, 'show', 'team/d@9');
		await refused(daemon, SERVER, 'show', `team/d@sha256:${'0'.repeat(64)}`);
		await refused(daemon, USAGE, 'show', 'Team/D');
		const { json } = await refused(daemon, SERVER, 'show', 'nobody', '--json');
		assert.equal(json.error.code, 'MODEL_NOT_FOUND');
		assert.equal(json.error.exit, SERVER);
	});

	test('labels are made, listed, moved and removed', async () => {
		await run(daemon, 'label', 'set', 'team/d', 'canary');
		assert.match((await run(daemon, 'label', 'ls', 'team/d')).stdout, /^LABEL +VERSION +MOVED\ncanary +2 /);
		assert.match((await run(daemon, 'show', 'team/d@2')).stdout, /labels +canary/);
		assert.equal((await run(daemon, 'label', 'set', 'team/d', 'canary', '1', '-q')).stdout, 'team/d@1\n');
		await run(daemon, 'label', 'set', 'team/d', 'stable', 'canary');
		assert.equal((await run(daemon, 'label', 'ls', 'team/d', '-q')).stdout, 'canary\nstable\n');
		assert.equal((await run(daemon, 'show', '-q', 'team/d@stable')).stdout, 'team/d@1\n');
		await run(daemon, 'label', 'rm', 'team/d', 'canary');
		const { json } = await run(daemon, 'label', 'rm', 'team/d', 'stable', '--json');
		assert.deepEqual(json, { deleted: 'team/d@stable' });
		assert.equal((await run(daemon, 'label', 'ls', 'team/d', '-q')).stdout, '');
	});

	test('--if moves a label only from the version that is expected', async () => {
		const set = (...words) => ['label', 'set', 'team/d', 'guarded', ...words];
		await run(daemon, ...set('1', '--if', 'none'));
		const again = await refused(daemon, SERVER, ...set('2', '--if', 'none'));
		assert.match(again.stderr, /moved by somebody else/);
		const wrong = await refused(daemon, SERVER, ...set('2', '--if', '2'));
		assert.match(wrong.stderr, /names version 1, not 2/);
		assert.equal((await run(daemon, 'show', '-q', 'team/d@guarded')).stdout, 'team/d@1\n');
		const { json } = await run(daemon, ...set('2', '--if', '1', '--json'));
		assert.equal(json.version, 2);
		await run(daemon, 'label', 'rm', 'team/d', 'guarded');
	});

	test('rm deletes a version by its number, and a model with --all', async () => {
		await published(daemon, 'gone', denseModel({ seed: 4 }));
		await published(daemon, 'gone', denseModel({ seed: 5 }));
		await run(daemon, 'label', 'set', 'gone', 'kept', '1');
		const held = await refused(daemon, SERVER, 'rm', 'gone@1');
		assert.match(held.stderr, /modelctl label rm/);
		await refused(daemon, USAGE, 'rm', 'gone');
		await refused(daemon, USAGE, 'rm', 'gone@kept');
		await refused(daemon, USAGE, 'rm', 'gone@1', '--all');
		await run(daemon, 'rm', 'gone@2');
		await refused(daemon, SERVER, 'rm', 'gone@2');
		assert.deepEqual((await run(daemon, 'rm', '--all', 'gone', '--json')).json, { deleted: 'gone' });
		await refused(daemon, SERVER, 'show', 'gone');
	});

	test('a reader that leaves ends it without a word', async () => {
		const child = spawn('sh', ['-c', `${program()} ls; echo "status $?" >&2`],
			{ env: clientEnv(daemon), stdio: ['ignore', 'pipe', 'pipe'] });
		child.stdout.destroy();
		let stderr = '';
		child.stderr.on('data', (bytes) => (stderr += bytes));
		await new Promise((resolve) => child.on('close', resolve));
		assert.equal(stderr, `status ${128 + 13}\n`);
	});
});

describe('arguments', () => {
	test('--help lists every command, and every command has its own', async () => {
		const help = await modelctl(undefined, ['--help']);
		assert.equal(help.code, 0, help.stderr);
		for (const command of ['lint', 'push', 'pull', 'diff', 'doctor', 'import', 'jobs watch', 'jobs cancel', 'jobs', 'ls', 'show', 'label ls', 'label set', 'label rm', 'rm', 'link', 'token create', 'token ls', 'token revoke', 'login', 'completion']) {
			assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
			const own = await modelctl(undefined, [...command.split(' '), '--help']);
			assert.equal(own.code, 0, own.stderr);
			assert.match(own.stdout, new RegExp(`^modelctl ${command}(:| \\S)`), own.stdout);
			assert.match(own.stdout, /--server URL/);
		}
		assert.match((await modelctl(undefined, ['--version'])).stdout, /^modelctl \d/);
	});

	for (const [args, said] of [
		[[], /a command is missing/],
		[['shwo', 'x'], /modelctl show/],
		[['label'], /label ls, label set, label rm/],
		[['show'], /show needs REF/],
		[['show', 'a', 'b'], /unexpected operand b/],
		[['token', 'ls', 'x'], /unexpected operand x\n  It is used as `modelctl token ls`\./],
		[['ls', '--all'], /--all does not go with ls/],
		[['ls', '--nonsense'], /unknown option --nonsense/],
		[['ls', '-x'], /unknown option -x/],
		[['ls', '--server'], /--server needs a value/],
		[['ls', '--json=1'], /--json=1 takes no value/],
		[['ls', '--server', 'ftp://x'], /"ftp:\/\/x" is no address of a server/],
		[['ls', '--token', 'a b'], /a token is/],
		[['ls', '--color', 'blue'], /--color is auto, always or never/],
	]) {
		test(`misuse is told: modelctl ${args.join(' ')}`, async () => {
			const done = await refused(undefined, USAGE, ...args);
			assert.match(done.stderr, said);
			assert.equal(done.stdout, '');
		});
	}
});

describe('the server and the token', () => {
	const empty = JSON.stringify({ models: [] });
	const json = { 'Content-Type': 'application/json' };

	test('option, environment and file name the server, in this order', async (t) => {
		const [a, b, c] = await Promise.all([1, 2, 3].map(() => stranger(t, 200, json, empty)));
		const file = configHome(`# mine\nserver = ${c.origin}/\n`);
		const ls = (env, ...options) => modelctl(undefined, ['ls', ...options], { env });
		await ls({ MODELCTL_SERVER: b.origin, ...file }, '--server', a.origin);
		await ls({ MODELCTL_SERVER: b.origin, ...file });
		await ls(file);
		assert.deepEqual([a, b, c].map(({ seen }) => seen.length), [1, 1, 1]);
	});

	test('the token of the file goes to the server of the file alone', async (t) => {
		const [a, b] = await Promise.all([1, 2].map(() => stranger(t, 200, json, empty)));
		const env = configHome(`server = ${a.origin}\ntoken = secret\n`);
		await modelctl(undefined, ['ls'], { env });
		await modelctl(undefined, ['ls', '--server', b.origin], { env });
		await modelctl(undefined, ['ls', '--server', b.origin], { env: { ...env, MODELCTL_TOKEN: 'other' } });
		const sent = ({ seen }) => seen.map((request) => request.headers.authorization);
		assert.deepEqual(sent(a), ['Bearer secret']);
		assert.deepEqual(sent(b), [undefined, 'Bearer other']);
	});

	test('a file that others may read is refused', async () => {
		for (const mode of [0o640, 0o604]) {
			const done = await modelctl(undefined, ['ls'], { env: configHome('token = secret\n', mode) });
			assert.equal(done.code, USAGE);
			assert.match(done.stderr, /can be read by others/);
			assert.match(done.stderr, /chmod 600/);
		}
	});

	test('a mistake in the file is told with its line', async () => {
		for (const [text, said] of [['\nserver http', /config:2: not of the form/],
			['host = x', /config:1: there is no key "host"/],
			['# c\n\nserver = x y', /config:3: "x y" is no address/]]) {
			const done = await modelctl(undefined, ['ls'], { env: configHome(text) });
			assert.equal(done.code, USAGE);
			assert.match(done.stderr, said);
		}
	});

	test('nobody there, a stranger and a refusal are told apart', async (t) => {
		const nobody = await stranger(t, 200, json, empty);
		const gone = http.createServer();
		await new Promise((resolve) => gone.listen(0, '127.0.0.1', resolve));
		const port = gone.address().port;
		await new Promise((resolve) => gone.close(resolve));
		const ls = (origin) => modelctl({ origin }, ['ls']);
		const unreachable = await ls(`http://127.0.0.1:${port}`);
		assert.equal(unreachable.code, NETWORK);
		assert.match(unreachable.stderr, /no answer: .*\n  Is modeld running there\?/);
		const html = await ls((await stranger(t, 502, { 'Content-Type': 'text/html' }, '<h1>no')).origin);
		assert.equal(html.code, SERVER);
		assert.match(html.stderr, /not as modeld does/);
		const redirect = await ls((await stranger(t, 301, { Location: nobody.origin }, '')).origin);
		assert.equal(redirect.code, SERVER);
		assert.match(redirect.stderr, /It redirects/);
		assert.equal(nobody.seen.length, 0);
		const problem = JSON.stringify({ status: 401, code: 'TOKEN_REQUIRED', detail: 'a token is needed' });
		const token = await ls((await stranger(t, 401, { 'Content-Type': 'application/problem+json' },
			problem)).origin);
		assert.equal(token.code, FORBIDDEN);
		assert.match(token.stderr, /a token is needed\n  Give a token: MODELCTL_TOKEN/);
	});

	test('what a server says cannot command the terminal', async (t) => {
		const detail = 'x\u001b]0;title\u0007\nmodelctl: fine\u009b2J';
		const { origin } = await stranger(t, 409, json,
			JSON.stringify({ code: 'CONFLICT', detail }));
		const done = await modelctl({ origin }, ['ls']);
		assert.equal(done.code, SERVER);
		// eslint-disable-next-line no-control-regex
		assert.doesNotMatch(done.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
		assert.equal(done.stderr.match(/^modelctl: /gm).length, 1);
	});
});
