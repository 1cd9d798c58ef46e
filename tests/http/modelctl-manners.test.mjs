// SPDX-License-Identifier: Apache-2.0
// What all commands of modelctl have in common: documents of --json, what -q prints, exit codes, a standard
// output that is full, interruption, and no questions.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { scratchDir, until, useDaemon, within } from '../lib/daemon.mjs';
import { FROM_HERE } from '../lib/imports.mjs';
import {
	DIFFERS, FORBIDDEN, INVALID, NETWORK, SERVER, USAGE, clientEnv, folderOf, modelctl, program, startModelctl,
} from '../lib/modelctl.mjs';
import { addGraph, denseModel, shardsOf, utf8, withFile } from '../lib/models.mjs';
import { gate, startOrigin } from '../lib/origin.mjs';
import { makeToken } from '../lib/tokens.mjs';

const NONE = '';
const URL_LINE = /^http:\S+\/models\/\S+\/model\.json\n$/;
const REF_LINE = /^[a-z0-9/]+@\d+\n$/;
const ID_LINE = /^[0-9a-z]+\n$/;

const sound = denseModel({ seed: 1 });
const other = denseModel({ seed: 2 });
const graph = addGraph({ size: 64, shardBytes: 64 });
const broken = withFile(graph, shardsOf(graph).at(-1).path, utf8('short'));

let counter = 0;
const fresh = () => `fresh/m${++counter}`;

// The words after the command, and what -q prints. `with` are those of a server with `m` (two versions, the
// label stable on the first), and of a host that serves a model at `url`.
const commands = {
	'push': { with: ({ dir }) => [dir, fresh()], quiet: URL_LINE },
	'pull': { with: () => ['m@1', '-o', path.join(scratchDir('pull'), 'd')], quiet: /^\/\S+\/d\n$/ },
	'lint': { with: ({ dir }) => [dir], quiet: NONE },
	'doctor': { with: ({ daemon, token }) => [`${daemon.origin}/models/m@1/model.json`, '--header', `Authorization: Bearer ${token}`], quiet: NONE },
	'diff': { with: () => ['m@1', 'm@2'], quiet: NONE, exit: DIFFERS },
	'ls': { with: () => ['m'], quiet: 'm\n' },
	'show': { with: () => ['m@stable'], quiet: 'm@1\n' },
	'label ls': { with: () => ['m'], quiet: 'stable\n' },
	'label set': { with: () => ['m', `l${++counter}`, '1'], quiet: 'm@1\n', cleans: true },
	'label rm': { with: async ({ run }) => {
		const label = `l${++counter}`;
		await run('label', 'set', 'm', label, '2');
		return ['m', label];
	}, quiet: NONE },
	'rm': { with: async ({ run, dir }) => {
		const name = fresh();
		await run('push', dir, name);
		return [`${name}@1`];
	}, quiet: NONE },
	'import': { with: ({ url }) => [url, fresh()], quiet: ID_LINE },
	'jobs': { with: async ({ run, url }) => {
		const name = fresh();
		await run('import', url, name, '-w');
		return [name];
	}, quiet: ID_LINE },
	'jobs watch': { with: async ({ run, url }) => [(await run('import', url, fresh(), '-q')).stdout.trim()], quiet: URL_LINE },
	'jobs cancel': { with: async ({ run, held }) => [(await run('import', held, fresh(), '-q')).stdout.trim()], quiet: NONE },
	'link': { with: () => ['m@1'], quiet: /^http:\S+\/models\/m@1\/model\.json\?\S+\n$/ },
	'token create': { with: () => ['--scope', 'read', '--models', 'm'], quiet: /^mdl_\S+\n$/ },
	'token ls': { with: () => [], quiet: /^([0-9a-f]{12}\n)+$/ },
	'token revoke': { with: async ({ run }) => [(await run('token', 'create', '--scope', 'read', '-q')).stdout.trim()], quiet: NONE },
	'login': { with: ({ daemon }) => [daemon.origin], quiet: NONE },
	'completion': { with: () => ['bash'], quiet: /^# bash completion/ },
};
// Words that need nothing to be there, for what fails before it matters.
const bare = {
	'push': ({ dir }) => [dir, 'x'], 'pull': () => ['m@1', '-o', scratchDir('pull')], 'diff': () => ['m@1', 'm@2'], 'ls': () => [],
	'show': () => ['m'], 'label ls': () => ['m'], 'label set': () => ['m', 'l', '1'], 'label rm': () => ['m', 'l'], 'rm': () => ['m@1'],
	'import': ({ url }) => [url, 'x'], 'jobs': () => [], 'jobs watch': () => ['a'], 'jobs cancel': () => ['a'], 'link': () => ['m'],
	'token create': () => ['--scope', 'read'], 'token ls': () => [], 'token revoke': () => ['0123456789ab'],
	'login': ({ origin }) => [origin], 'doctor': ({ origin }) => [`${origin}/model.json`],
};
const names = Object.keys(commands);
const ofServer = names.filter((name) => !['lint', 'doctor', 'completion'].includes(name));

// ---- schemas, as --help writes them ----

// {"a", "b"?, "c": [{...}], "d": [NAME]} as {a: {}, b: {optional: true}, c: {each: {...}}}.
function parseSchema(text, named) {
	const words = text.match(/[{}[\],:?]|"[^"]*"|[A-Z]+/g);
	let at = 0;
	const value = () => {
		const word = words[at++];
		if (word === '[') {
			const each = value();
			assert.equal(words[at++], ']');
			return { each };
		}
		return word === '{' ? { members: members() } : named[word] ?? {};
	};
	function members() {
		const found = {};
		while (words[at] !== '}') {
			const name = JSON.parse(words[at++]);
			const optional = words[at] === '?' && ++at > 0;
			const is = words[at] === ':' && ++at > 0 ? value() : {};
			found[name] = { ...is, optional };
			at += words[at] === ',' ? 1 : 0;
		}
		at++;
		return found;
	}
	return value();
}

function assertFits(value, schema, where, open = false) {
	if (schema.each) {
		assert.ok(Array.isArray(value), where);
		value.forEach((one, i) => assertFits(one, schema.each, `${where}[${i}]`, open));
	}
	if (!schema.members) {
		return;
	}
	for (const [name, { optional }] of Object.entries(schema.members)) {
		assert.ok(optional || name in value, `${where} has no ${name}: ${JSON.stringify(value)}`);
	}
	for (const name of Object.keys(value)) {
		assert.ok(open || name in schema.members, `${where} has ${name}, which is not documented`);
		assertFits(value[name], schema.members[name] ?? {}, `${where}.${name}`, open);
	}
}

async function documented(command) {
	const { stdout, stderr } = await modelctl(undefined, [...command.split(' '), '--help']);
	return /^With --json: (.*?)\.$/ms.exec(stdout)?.[1].replace(/\s+/g, ' ') ?? assert.fail(stdout + stderr);
}

const definition = (text, name) => parseSchema(new RegExp(`a ${name} being (\\{.*\\})`).exec(text)[1], {});

// ---- a server with something in it ----

describe('every command', () => {
	const daemon = useDaemon({ set: { ...FROM_HERE, 'auth.anonymous': 'none' } });
	const world = { daemon };

	let origin;

	after(() => origin?.stop());

	before(async () => {
		const token = await makeToken(daemon, '--scope', 'admin');
		origin = await startOrigin({ after() {} });
		const door = gate();
		origin.serve('/m', graph, (bytes) => file(bytes));
		origin.on('/held/model.json', async () => door.opened);
		const environment = () => ({ MODELCTL_TOKEN: token, XDG_CONFIG_HOME: scratchDir('config'), XDG_STATE_HOME: scratchDir('state') });
		const run = async (...args) => {
			const done = await modelctl(daemon, args, { env: environment() });
			assert.ok(done.code === 0, `${args}: ${done.stderr}`);
			return done;
		};
		Object.assign(world, { token, run, environment, origin, url: origin.url('/m/model.json'), held: origin.url('/held/model.json'), dir: folderOf(sound) });
		await run('push', folderOf(sound), 'm');
		await run('push', folderOf(other), 'm');
		await run('label', 'set', 'm', 'stable', '1');
	});

	const words = async (name) => [...name.split(' '), ...await commands[name].with(world)];

	for (const name of names) {
		const { quiet, exit = 0, cleans } = commands[name];
		const expected = (done) => assert.equal(done.code, exit, done.stderr);
		const again = async (...options) => {
			const args = await words(name);
			const done = await modelctl(daemon, [...args, ...options], { env: world.environment() });
			if (cleans) {
				await world.run('label', 'rm', args[2], args[3]);
			}
			return done;
		};

		test(`${name} --json is one document, as --help describes it`, async () => {
			const text = await documented(name);
			const named = { FINDING: definition(await documented('lint'), 'FINDING'), JOB: definition(await documented('jobs'), 'JOB'),
				CHANGE: definition(await documented('diff'), 'CHANGE') };
			const open = /what else/.test(text + (/JOB/.test(text) ? await documented('jobs') : ''));
			const done = await again('--json');
			expected(done);
			assert.match(done.stdout, /^\{.*\}\n$/s);
			assertFits(done.json, parseSchema(text, named), name, open);
			if (/JOB\]/.test(text)) {
				assert.ok(done.json.jobs.length > 0);
			}
		});

		test(`${name} -q prints ${quiet === NONE ? 'nothing' : 'what scripts go on with'} and says nothing`, async () => {
			const done = await again('-q');
			expected(done);
			assert.equal(done.stderr, '');
			(quiet instanceof RegExp ? assert.match : assert.equal)(done.stdout, quiet);
		});

		test(`${name} fails when standard output is full`, async () => {
			const done = await modelctl(daemon, ['-c', '"$0" "$@" >/dev/full', program(), ...await words(name), '--json'],
				{ instead: 'sh', env: world.environment() });
			assert.equal(done.code, USAGE, done.stderr);
			assert.match(done.stderr, /^modelctl: cannot write to standard output: No space left on device$/m);
		});
	}

	test(`every command refuses what it does not know: ${USAGE}`, async () => {
		for (const name of names) {
			const done = await modelctl(undefined, [...name.split(' '), '--nonsense', '--json']);
			assert.equal(done.code, USAGE, done.stderr);
			assert.match(done.stderr, /unknown option --nonsense\n {2}`modelctl --help`/);
			assert.equal(done.json.error.exit, USAGE);
		}
	});

	test('there are no colors but for terminals', async () => {
		for (const args of [['lint', folderOf(broken)], ['diff', 'm@1', 'm@2'], ['ls']]) {
			const done = await modelctl(daemon, args, { env: { ...world.environment(), TERM: 'xterm' } });
			assert.doesNotMatch(done.stdout + done.stderr, /\u001b/); // eslint-disable-line no-control-regex
		}
	});

	test('push --dry-run --json, push --only-new --json and lint --json of a REF are documented too', async () => {
		const [published, tried] = (await documented('push')).split('; with --dry-run ');
		const named = { FINDING: definition(await documented('lint'), 'FINDING') };
		const json = async (...args) => (await world.run(...args, '--json')).json;
		assertFits(await json('push', world.dir, fresh(), '--dry-run'), parseSchema(tried, named), 'push --dry-run');
		assertFits(await json('push', world.dir, 'm', '--only-new'), parseSchema(published, named), 'push --only-new');
		assertFits(await json('push', world.dir, fresh(), '--label', 'l'), parseSchema(published, named), 'push --label');
		assertFits(await json('lint', 'm'), parseSchema(await documented('lint'), named), 'lint REF');
		const bad = await modelctl(daemon, ['lint', folderOf(broken), '--json']);
		assertFits(bad.json, parseSchema(await documented('lint'), named), 'lint of what is broken');
		assert.ok(bad.json.findings.length > 0);
	});

	// ---- exit codes ----

	for (const [name, args] of Object.entries({
		'push': () => [folderOf(broken), 'm'], 'lint': () => [folderOf(broken)], 'diff': () => ['m@1', folderOf(broken)],
		'doctor': () => [world.origin.url('/none/model.json')],
	})) {
		test(`${name} of a model that TensorFlow.js could not load: ${INVALID}`, async () => {
			const done = await modelctl(daemon, [name, ...args()], { env: world.environment() });
			assert.equal(done.code, INVALID, done.stderr);
		});
	}

	for (const name of ofServer) {
		test(`${name} without a token, where one is needed: ${FORBIDDEN}`, async () => {
			const args = [...name.split(' '), ...bare[name]({ ...world, origin: daemon.origin })];
			const done = await modelctl(daemon, args);
			assert.equal(done.code, FORBIDDEN, `${args}: ${done.stderr}`);
			assert.match(done.stderr, /^modelctl: .*\n {2}Give a token: MODELCTL_TOKEN, --token, or `modelctl login`\.\n$/);
			assert.equal(done.stdout, '');
		});

		// jobs watch asks again for half a minute, as a job may outlive a restart.
		test(`${name} where nobody answers: ${NETWORK}`, { skip: name === 'jobs watch' }, async () => {
			const origin = 'http://127.0.0.1:1';
			const args = [...name.split(' '), ...bare[name]({ ...world, origin })];
			const done = await modelctl({ origin }, [...args, '--json'], { env: world.environment() });
			assert.equal(done.code, NETWORK, done.stderr);
			assert.match(done.stderr, /^modelctl: no answer: 127\.0\.0\.1:1: .*\n {2}Is modeld running there\?/m);
			assert.equal(done.json.error.exit, NETWORK);
		});
	}

	// What is not there, each with the next step.
	for (const args of [['pull', 'none'], ['diff', 'none', 'm'], ['show', 'none'], ['show', 'm@9'], ['label', 'ls', 'none'],
		['label', 'set', 'none', 'l'], ['label', 'rm', 'm', 'none'], ['rm', 'm@9'], ['rm', 'none', '--all'],
		['jobs', 'watch', 'none'], ['jobs', 'cancel', 'none'], ['link', 'none'], ['token', 'revoke', '0123456789ab'],
		['lint', 'none']]) {
		test(`${args.join(' ')}, which is not there: ${SERVER}`, async () => {
			const done = await modelctl(daemon, args, { env: world.environment() });
			assert.equal(done.code, SERVER, done.stderr);
			assert.match(done.stderr, /^modelctl: .*(none|@9|0123456789ab).*\n {2}`modelctl .*\n$/);
		});
	}

	for (const name of ofServer) {
		test(`${name} of a server whose disk is full: ${SERVER}`, async (t) => {
			const failing = http.createServer((request, response) => {
				request.resume().on('end', () => response.writeHead(507, { 'Content-Type': 'application/problem+json' })
					.end(JSON.stringify({ status: 507, code: 'STORAGE_FULL', detail: 'the disk is full' })));
			});
			await new Promise((resolve) => failing.listen(0, '127.0.0.1', resolve));
			t.after(() => failing.close());
			const origin = `http://127.0.0.1:${failing.address().port}`;
			const done = await modelctl({ origin }, [...name.split(' '), ...bare[name]({ ...world, origin })], { env: world.environment() });
			assert.equal(done.code, SERVER, done.stderr);
			assert.match(done.stderr, /: the disk is full\n {2}Delete versions/);
		});
	}

	// ---- interruption and questions ----

	for (const name of [...ofServer, 'doctor']) {
		test(`${name} ends when it is interrupted while a server keeps silent`, async (t) => {
			let asked = 0;
			const silent = net.createServer((socket) => {
				asked++;
				socket.on('error', () => {});
			});
			await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
			const origin = `http://127.0.0.1:${silent.address().port}`;
			const args = [...name.split(' '), ...bare[name]({ ...world, origin })];
			const child = startModelctl({ origin }, args, { env: world.environment() });
			t.after(() => {
				child.kill('SIGKILL');
				silent.close();
			});
			await until('a connection', () => asked > 0);
			child.kill('SIGINT');
			const done = await within('its end', child.closed);
			assert.equal(done.code, NETWORK, done.stderr);
			assert.match(done.stderr, /^modelctl: .*interrupted/m);
		});
	}

	test('nothing but login reads standard input, and nothing waits for it', async () => {
		for (const name of ['push', 'rm', 'label rm', 'token create', 'token revoke', 'jobs cancel']) {
			const args = await words(name);
			// A pipe that nobody writes to and nobody closes.
			const child = spawn(program(), args, { env: clientEnv(daemon, world.environment()), stdio: ['pipe', 'ignore', 'pipe'] });
			let stderr = '';
			child.stderr.on('data', (bytes) => (stderr += bytes));
			const code = await within(name, new Promise((resolve) => child.on('close', resolve)));
			child.stdin.destroy();
			assert.equal(code, commands[name].exit ?? 0, `${name}: ${stderr}`);
		}
	});

	test('a signal that is ignored when it begins stays so', async () => {
		const done = await modelctl(daemon, ['-c', 'trap "" INT HUP; "$0" ls -q & kill -INT $!; kill -HUP $!; wait $!', program()],
			{ instead: 'sh', env: world.environment() });
		assert.equal(done.code, 0, done.stderr);
		assert.match(done.stdout, /^m$/m);
	});
});
