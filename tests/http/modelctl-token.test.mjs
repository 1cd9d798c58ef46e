// SPDX-License-Identifier: Apache-2.0
// modelctl token, which makes, lists and revokes tokens, and link, which makes addresses.

import assert from 'node:assert/strict';
import http from 'node:http';
import { before, describe, test } from 'node:test';

import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import { get, multipart, partsOf, post, published, request } from '../lib/http.mjs';
import { FORBIDDEN, SERVER, USAGE, modelctl, program } from '../lib/modelctl.mjs';
import { denseModel } from '../lib/models.mjs';
import { bearer, idOf, makeToken, revokeToken, TOKEN } from '../lib/tokens.mjs';

const DAY_MS = 86_400_000;
const ID = '0123456789ab';

// With a token; null for none.
const as = (daemon, token, args, options) =>
	modelctl(daemon, args, { env: token ? { MODELCTL_TOKEN: token } : {}, ...options });

async function run(daemon, token, ...args) {
	const done = await as(daemon, token, args);
	assert.equal(done.code, 0, done.stderr);
	return done;
}

async function refused(daemon, token, exit, ...args) {
	const done = await as(daemon, token, args);
	assert.equal(done.code, exit, done.stderr);
	assert.match(done.stderr, /^modelctl: /m);
	assert.equal(done.stdout, '');
	return done;
}

function alone(stdout) {
	const [line, rest, ...more] = stdout.split('\n');
	assert.equal(rest, '', stdout);
	assert.deepEqual(more, []);
	return line;
}

const save = (daemon, name, token) =>
	post(daemon, `/models/${name}`, multipart(partsOf(denseModel())), { headers: bearer(token) });
const about = (time, days) => Math.abs(Date.parse(time) - Date.now() - days * DAY_MS) < DAY_MS / 2;

// A server that answers every request alike and remembers the targets.
async function stranger(t, status, body) {
	const targets = [];
	const server = http.createServer((asked, response) => {
		targets.push(`${asked.method} ${asked.url}`);
		response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.after(() => server.close());
	return { origin: `http://127.0.0.1:${server.address().port}`, targets };
}

describe('tokens', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	let admin;

	before(async () => {
		admin = await makeToken(daemon, '--scope', 'admin');
	});

	const described = async (id) => {
		const answered = await get(daemon, `/v1/tokens/${id}`, bearer(admin));
		assert.equal(answered.status, 200, answered.text);
		return answered.json;
	};

	test('create prints the token alone, and it allows what was asked for', async () => {
		const done = await run(daemon, admin, 'token', 'create', '--scope', 'publish', '--models', 'team/*',
			'--expires', '90d', '--name', 'ci job');
		const token = alone(done.stdout);
		assert.match(token, TOKEN);
		assert.match(done.stderr, new RegExp(`^Token ${idOf(token)}: publish=team/\\*, until 2`));
		assert.ok(!done.stderr.includes(token));
		assert.equal((await save(daemon, 'team/m', token)).status, 201);
		assert.equal((await save(daemon, 'other', token)).status, 403);
		const { name, scopes, expires } = await described(idOf(token));
		assert.deepEqual({ name, scopes }, { name: 'ci job', scopes: ['publish=team/*'] });
		assert.ok(about(expires, 90), expires);
	});

	test('create takes several scopes and patterns, each way there is to write them', async () => {
		const { stdout } = await run(daemon, admin, 'token', 'create', '-q', '--scope', 'read,publish=a', '--scope',
			'label', '--models', 'b/**', '--models', 'c', '--expires', 'never');
		const { scopes, expires } = await described(idOf(alone(stdout)));
		assert.deepEqual(scopes.sort(), ['label=b/**', 'label=c', 'publish=a', 'read=b/**', 'read=c']);
		assert.equal(expires, undefined);
	});

	test('create is for all models when it does not say which', async () => {
		const { stdout, stderr } = await run(daemon, admin, 'token', 'create', '--scope', 'read');
		assert.deepEqual((await described(idOf(alone(stdout)))).scopes, ['read=**']);
		assert.match(stderr, /until it is revoked/);
	});

	test('create prints with --json the document, and with -q nothing but the token', async () => {
		const { json, stderr } = await run(daemon, admin, 'token', 'create', '--scope', 'read', '--json', '--name', 'x');
		assert.match(json.token, TOKEN);
		assert.equal(json.id, idOf(json.token));
		assert.equal(json.name, 'x');
		assert.equal(stderr, '');
		const quiet = await run(daemon, admin, 'token', 'create', '--scope', 'read', '-q');
		assert.match(alone(quiet.stdout), TOKEN);
		assert.equal(quiet.stderr, '');
	});

	test('create says that the token is there when it cannot print it', async () => {
		const done = await as(daemon, admin, ['-c', '"$0" token create --scope read >/dev/full', program()],
			{ instead: 'sh' });
		assert.equal(done.code, USAGE, done.stderr);
		assert.match(done.stderr, /^modelctl: .*No space left.*\n {2}The token is made all the same/m);
	});

	test('ls tells of each token everything but the secret', async () => {
		const [first, second] = [
			await makeToken(daemon, '--scope', 'read,label', '--models', 'seen/**', '--models', 'm', '--name', 'a b'),
			await makeToken(daemon, '--scope', 'delete', '--expires', '1h')];
		const { stdout } = await run(daemon, admin, 'token', 'ls');
		assert.match(stdout, /^ID +NAME +SCOPES +MODELS +EXPIRES +LAST USED\n/);
		assert.match(stdout, new RegExp(`^${idOf(first)} +a b +read,label +seen/\\*\\* +never +never$`, 'm'));
		assert.match(stdout, new RegExp(`^${idOf(first)} +a b +read,label +m +never +never$`, 'm'));
		assert.match(stdout, new RegExp(`^${idOf(second)} +delete +\\*\\* +2\\S+Z +never$`, 'm'));
		const listed = await run(daemon, admin, 'token', 'ls', '--json');
		const ids = listed.json.tokens.map(({ id }) => id);
		assert.ok(ids.includes(idOf(first)) && ids.includes(idOf(second)));
		const quiet = await run(daemon, admin, 'token', 'list', '-q');
		assert.equal(quiet.stdout, ids.map((id) => `${id}\n`).join(''));
		for (const token of [admin, first, second]) {
			assert.ok(!(stdout + listed.stdout).includes(token.slice(-43)));
		}
	});

	test('ls tells when a token was last used, which the end of a daemon writes down', async (t) => {
		const first = await startDaemon(t);
		const used = await makeToken(first, '--scope', 'admin');
		assert.equal((await get(first, '/v1/tokens', bearer(used))).status, 200);
		await first.stop();
		const second = await startDaemon(t, { store: first.store });
		assert.match((await run(second, used, 'token', 'ls')).stdout,
			new RegExp(`^${idOf(used)} +admin +\\*\\* +never +2\\S+Z$`, 'm'));
		await second.stop();
	});

	test('ls tells an admin of some models of the tokens for those alone', async () => {
		const some = await makeToken(daemon, '--scope', 'admin', '--models', 'part/**');
		const inside = await makeToken(daemon, '--scope', 'read', '--models', 'part/x');
		const { stdout } = await run(daemon, some, 'token', 'ls', '-q');
		assert.deepEqual(stdout.trim().split('\n').sort(), [idOf(some), idOf(inside)].sort());
	});

	for (const [form, given] of [['its id', idOf], ['the whole token', (token) => token]]) {
		test(`revoke ends a token by ${form}`, async () => {
			const token = await makeToken(daemon, '--scope', 'read');
			assert.equal((await get(daemon, '/v1/models', bearer(token))).status, 200);
			const done = await run(daemon, admin, 'token', 'revoke', given(token));
			assert.equal(done.stderr, `${idOf(token)} is revoked.\n`);
			assert.equal(done.stdout, '');
			assert.equal((await get(daemon, '/v1/models', bearer(token))).status, 401);
			const again = await refused(daemon, admin, SERVER, 'token', 'revoke', given(token));
			assert.match(again.stderr, /no such token\n {2}`modelctl token ls`/);
		});
	}

	test('revoke says with --json what it ended', async () => {
		const token = await makeToken(daemon, '--scope', 'read');
		assert.deepEqual((await run(daemon, admin, 'token', 'revoke', idOf(token), '--json')).json,
			{ revoked: idOf(token) });
	});

	test('revoke sends no secret and shows none', async (t) => {
		const token = `mdl_${ID}_${'s'.repeat(43)}`;
		const { origin, targets } = await stranger(t, 404, JSON.stringify({ code: 'TOKEN_NOT_FOUND', detail: 'none' }));
		const done = await refused({ origin }, admin, SERVER, 'token', 'revoke', token);
		assert.deepEqual(targets, [`DELETE /v1/tokens/${ID}`]);
		assert.match(done.stderr, new RegExp(ID));
		assert.doesNotMatch(done.stderr, /sss/);
		for (const nonsense of [`mdl_${ID}/${'s'.repeat(43)}`, 'mdl_', '', '../models', 'A', 's'.repeat(65)]) {
			const odd = await refused({ origin }, admin, USAGE, 'token', 'revoke', nonsense);
			assert.doesNotMatch(odd.stderr, /sss/);
		}
		assert.equal(targets.length, 1);
	});

	test('who is no admin, of those models, is not allowed to', async () => {
		const reader = await makeToken(daemon, '--scope', 'read,publish,label,delete');
		const some = await makeToken(daemon, '--scope', 'admin', '--models', 'part/**');
		const victim = await makeToken(daemon, '--scope', 'read', '--models', 'whole');
		for (const words of [['create', '--scope', 'read'], ['ls'], ['revoke', idOf(victim)]]) {
			const nobody = await refused(daemon, null, FORBIDDEN, 'token', ...words);
			assert.match(nobody.stderr, /Give a token/);
			const done = await refused(daemon, reader, FORBIDDEN, 'token', ...words);
			assert.match(done.stderr, /scope admin/);
		}
		await refused(daemon, some, FORBIDDEN, 'token', 'create', '--scope', 'read', '--models', 'whole');
		await refused(daemon, some, FORBIDDEN, 'token', 'create', '--scope', 'read');
		await refused(daemon, some, SERVER, 'token', 'revoke', idOf(victim));
		assert.equal((await get(daemon, '/v1/tokens', bearer(victim))).status, 403, 'it is still a token');
		await run(daemon, some, 'token', 'create', '--scope', 'read', '--models', 'part/x');
	});

	for (const [words, said] of [
		[[], /needs --scope/],
		[['--scope', 'write'], /there is no scope write/],
		[['--scope', ''], /a scope is read, publish/],
		[['--scope', 'read=A'], /token create: /],
		[['--scope', 'read', '--models', 'a*'], /--models is/],
		[['--scope', 'read', '--models', 'Team'], /modelctl: /],
		[['--scope', 'read', '--expires', '5'], /--expires is a time like 12h or 90d, or never, not "5"/],
		[['--scope', 'read', '--expires', '0'], /--expires/],
		[['--scope', 'read', '--expires', '36501d'], /at most 36500d/],
		[['--scope', 'read', '--name', 'ä'], /printable ASCII/],
		[['--scope', 'read', '--ttl', '1d'], /--ttl does not go with token create/],
	]) {
		test(`misuse is told: token create ${words.join(' ')}`, async () => {
			assert.match((await refused(daemon, admin, USAGE, 'token', 'create', ...words)).stderr, said);
		});
	}

	test('an answer without a token is no success', async (t) => {
		const { origin } = await stranger(t, 201, '{}');
		assert.match((await refused({ origin }, null, SERVER, 'token', 'create', '--scope', 'read')).stderr,
			/without a token/);
	});
});

describe('links', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	let reader;

	before(async () => {
		const writer = await makeToken(daemon, '--scope', 'publish,label');
		reader = await makeToken(daemon, '--scope', 'read', '--models', 'team/**');
		for (const fill of [1, 2]) {
			const answered = await post(daemon, `/models/team/m${fill === 1 ? '?label=stable' : ''}`,
				multipart(partsOf(denseModel({ fill }))), { headers: bearer(writer) });
			assert.equal(answered.status, 201, answered.text);
		}
	});

	async function link(...args) {
		const done = await run(daemon, reader, 'link', ...args);
		return { stderr: done.stderr, url: new URL(alone(done.stdout)) };
	}

	const status = async (url, path = url.pathname) => (await request(daemon, 'GET', path + url.search)).status;

	test('an address reads a model with all its versions, without a token', async () => {
		const { url, stderr } = await link('team/m', '--ttl', '2d');
		assert.equal(url.origin + url.pathname, `${daemon.origin}/models/team/m/model.json`);
		assert.equal((await request(daemon, 'GET', url.pathname)).status, 401);
		assert.equal(await status(url), 200);
		assert.equal(await status(url, '/models/team/m@1/model.weights.bin'), 200);
		const [, end] = stderr.match(/^Whoever has this address may read team\/m with all its versions, until (\S+)\.\n$/);
		assert.ok(about(end, 2), end);
	});

	test('an address of a label reads the version that it names now', async () => {
		const { url, stderr } = await link('team/m@stable');
		assert.equal(url.pathname, '/models/team/m@1/model.json');
		assert.match(stderr, /may read team\/m@1, until /);
		assert.equal(await status(url), 200);
		assert.equal(await status(url, '/models/team/m@2/model.json'), 403);
	});

	test('--json is the document, -q the address alone, and the time a week if it is not said', async () => {
		const { json, stderr } = await run(daemon, reader, 'link', 'team/m@2', '--json');
		assert.equal(json.ref, 'team/m@2');
		assert.equal(await status(new URL(json.url)), 200);
		assert.ok(about(json.expires, 7), json.expires);
		assert.equal(stderr, '');
		assert.equal((await link('team/m', '-q')).stderr, '');
	});

	test('an address ends with its token', async () => {
		const token = await makeToken(daemon, '--scope', 'read', '--expires', '3d');
		const { stdout, stderr } = await run(daemon, token, 'link', 'team/m', '--ttl', '30d');
		assert.ok(about(stderr.match(/until (\S+)\.$/m)[1], 3), stderr);
		const url = new URL(alone(stdout));
		assert.equal(await status(url), 200);
		await revokeToken(daemon, token);
		assert.equal(await status(url), 401);
	});

	test('who may not read the model is not allowed to', async () => {
		assert.match((await refused(daemon, null, FORBIDDEN, 'link', 'team/m')).stderr, /Give a token/);
		const other = await makeToken(daemon, '--scope', 'read', '--models', 'other');
		await refused(daemon, other, FORBIDDEN, 'link', 'team/m', '--ttl', '1h');
		await refused(daemon, other, FORBIDDEN, 'link', 'team/none');
	});

	test('what is not there is told', async () => {
		assert.match((await refused(daemon, reader, SERVER, 'link', 'team/none')).stderr, /modelctl ls/);
		await refused(daemon, reader, SERVER, 'link', 'team/m@9');
		await refused(daemon, reader, SERVER, 'link', 'team/m@none');
	});

	for (const [words, said] of [
		[[], /link needs REF/],
		[['Team/m'], /modelctl: /],
		[['team/m', '--ttl', '7'], /--ttl is a time like 12h or 7d, not "7"/],
		[['team/m', '--ttl', '0'], /--ttl/],
		[['team/m', '--ttl', '367d'], /at most 366d/],
		[['team/m', '--expires', '1d'], /--expires does not go with link/],
	]) {
		test(`misuse is told: link ${words.join(' ')}`, async () => {
			assert.match((await refused(daemon, reader, USAGE, 'link', ...words)).stderr, said);
		});
	}

	test('an answer without an address is no success', async (t) => {
		const { origin } = await stranger(t, 200, '{}');
		assert.match((await refused({ origin }, null, SERVER, 'link', 'team/m')).stderr, /without an address/);
	});
});

describe('a server without tokens', () => {
	const daemon = useDaemon();

	test('gives no links, makes the first token, and takes no orders without one from then on', async () => {
		await published(daemon, 'm', denseModel());
		assert.equal((await run(daemon, null, 'token', 'ls')).stdout, '');
		assert.match((await refused(daemon, null, FORBIDDEN, 'link', 'm')).stderr, /Give a token/);
		const token = alone((await run(daemon, null, 'token', 'create', '--scope', 'admin')).stdout);
		await refused(daemon, null, FORBIDDEN, 'token', 'ls');
		assert.equal((await run(daemon, token, 'token', 'ls', '-q')).stdout, `${idOf(token)}\n`);
		alone((await run(daemon, token, 'link', 'm')).stdout);
	});
});
