// SPDX-License-Identifier: Apache-2.0
// Tokens: how they are made and revoked, what each scope opens, and what is said without one.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { before, describe, test } from 'node:test';

import { runModeld, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, assertQuietError, get, multipart, partsOf, post, published, request,
} from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { bearer, idOf, makeToken, revokeToken, TOKEN } from '../lib/tokens.mjs';

const model = denseModel();
const form = () => multipart(partsOf(model));
const json = (value) => JSON.stringify(value);
const other = (token) => token.slice(0, -1) + (token.endsWith('A') ? 'Q' : 'A');

const save = (daemon, name, headers = {}) => post(daemon, `/models/${name}`, form(), { headers });
const call = (daemon, method, target, token, body) =>
	request(daemon, method, target, { headers: token ? bearer(token) : {}, body });

// Of every route: a request of it, and the scope that it needs. The daemon's own table is compared with
// this one below, so that no route is forgotten.
const ID = '0'.repeat(32);
const ROUTES = [
	['GET', '/models/{name+}/model.json', '/models/team/m/model.json', 'read'],
	['GET', '/models/{ref@}/{path*}', '/models/team/m@1/model.json', 'read'],
	['GET', '/models/{ref@}', '/models/team/m@1', 'read'],
	['GET', '/models/{name+}', '/models/team/m', 'read'],
	['POST', '/models/{name+}', '/models/team/m', 'publish'],
	['PUT', '/models/{name+}', '/models/team/m', 'publish'],
	['GET', '/v1/models', '/v1/models', 'read'],
	['GET', '/v1/models/{name+}/versions', '/v1/models/team/m/versions', 'read'],
	['POST', '/v1/models/{name+}/versions', '/v1/models/team/m/versions', 'publish'],
	['GET', '/v1/models/{name+}/versions/{version}/tensors', '/v1/models/team/m/versions/1/tensors', 'read'],
	['GET', '/v1/models/{name+}/versions/{version}', '/v1/models/team/m/versions/1', 'read'],
	['DELETE', '/v1/models/{name+}/versions/{version}', '/v1/models/team/m/versions/9', 'delete'],
	['GET', '/v1/models/{name+}/labels', '/v1/models/team/m/labels', 'read'],
	['GET', '/v1/models/{name+}/labels/{label}', '/v1/models/team/m/labels/latest', 'read'],
	['PUT', '/v1/models/{name+}/labels/{label}', '/v1/models/team/m/labels/x', 'label'],
	['DELETE', '/v1/models/{name+}/labels/{label}', '/v1/models/team/m/labels/x', 'label'],
	['GET', '/v1/models/{name+}/labels/{label}/history', '/v1/models/team/m/labels/x/history', 'read'],
	['GET', '/v1/models/{name+}/labels/{label}/metadata', '/v1/models/team/m/labels/latest/metadata', 'read'],
	['GET', '/v1/models/{name+}/versions/{version}/metadata', '/v1/models/team/m/versions/1/metadata', 'read'],
	['GET', '/v1/models/{name+}/metadata', '/v1/models/team/m/metadata', 'read'],
	['GET', '/v1/models/{name+}/rejections', '/v1/models/team/m/rejections', 'publish'],
	['GET', '/v1/models/{name+}', '/v1/models/team/m', 'read'],
	['DELETE', '/v1/models/{name+}', '/v1/models/team/none', 'delete'],
	['POST', '/v1/models/{name+}:import', '/v1/models/team/m:import', 'publish', '{}'],
	['GET', '/v1/jobs', '/v1/jobs', ['read', 'publish']],
	['GET', '/v1/jobs/{id}', `/v1/jobs/${ID}`, ['read', 'publish']],
	['DELETE', '/v1/jobs/{id}', `/v1/jobs/${ID}`, 'publish'],
	['POST', '/v1/uploads', '/v1/uploads', 'publish', json({ model: 'team/m' })],
	['GET', '/v1/uploads/{id}', `/v1/uploads/${ID}`, 'publish'],
	['DELETE', '/v1/uploads/{id}', `/v1/uploads/${ID}`, 'publish'],
	['POST', '/v1/uploads/{id}:publish', `/v1/uploads/${ID}:publish`, 'publish'],
	['GET', '/v1/uploads/{id}/files/{path*}', `/v1/uploads/${ID}/files/a.bin`, 'publish'],
	['PUT', '/v1/uploads/{id}/files/{path*}', `/v1/uploads/${ID}/files/a.bin`, 'publish'],
	['PATCH', '/v1/uploads/{id}/files/{path*}', `/v1/uploads/${ID}/files/a.bin`, 'publish'],
	['DELETE', '/v1/uploads/{id}/files/{path*}', `/v1/uploads/${ID}/files/a.bin`, 'publish'],
	['GET', '/v1/tokens', '/v1/tokens', 'admin'],
	['POST', '/v1/tokens', '/v1/tokens', 'admin', '{}'],
	['GET', '/v1/tokens/{id}', `/v1/tokens/${ID}`, 'admin'],
	['DELETE', '/v1/tokens/{id}', `/v1/tokens/${ID}`, 'admin'],
	['POST', '/v1/links', '/v1/links', 'read', '{}'],
	['GET', '/v1/audit', '/v1/audit', 'admin'],
	['GET', '/v1/openapi.json', '/v1/openapi.json', null],
	['GET', '/healthz', '/healthz', null],
	['GET', '/readyz', '/readyz', null],
	['GET', '/version', '/version', null],
	['GET', '/metrics', '/metrics', 'read'],
];

describe('every route has a scope', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	const tokens = {};

	before(async () => {
		for (const scope of ['read', 'publish', 'label', 'delete', 'admin']) {
			tokens[scope] = await makeToken(daemon, '--scope', scope);
		}
		tokens.elsewhere = await makeToken(daemon, '--scope', 'read,publish,label,delete', '--models', 'elsewhere/**');
		const answered = await save(daemon, 'team/m', bearer(tokens.publish));
		assert.equal(answered.status, 201, answered.text);
	});

	test('and this table has every route', () => {
		const source = fs.readFileSync(new URL('../../server/api/api_routes.c', import.meta.url), 'utf8');
		const rows = [...source.matchAll(/\{([A-Z_ |]+),\s*"([^"]+)",\s*&\w+\s*\}/g)];
		const theirs = rows.flatMap(([, methods, pattern]) => methods.split('|').map((method) =>
			`${method.trim().replace('METHOD_', '')} ${pattern}`)).sort();
		assert.ok(theirs.length > 30);
		assert.deepEqual(theirs, ROUTES.map(([method, pattern]) => `${method} ${pattern}`).sort());
	});

	for (const [method, pattern, target, scope, body] of ROUTES) {
		if (!scope) {
			test(`${method} ${pattern} is open`, async () => {
				assert.equal((await call(daemon, method, target)).status, 200);
				assert.equal((await call(daemon, method, target, other(tokens.read))).status, 200);
			});
			continue;
		}
		test(`${method} ${pattern} needs ${scope}`, async () => {
			const without = await call(daemon, method, target, undefined, body);
			assert.equal(without.status, 401);
			assert.equal(without.headers['x-error-code'], 'TOKEN_REQUIRED');
			assert.equal(without.headers['www-authenticate'], 'Bearer realm="modeld"');
			assertOpenToPages(without);
			for (const [name, token] of Object.entries(tokens)) {
				const answered = await call(daemon, method, target, token, body);
				// Where the address names no model, those elsewhere may be meant.
				const meant = name === 'elsewhere' && scope !== 'admin' &&
					!`${target} ${body}`.includes('team/m');
				if ([scope, 'admin'].flat().includes(name) || (meant && !target.includes('team/'))) {
					assert.ok(![401, 403].includes(answered.status),
						`${name}: ${answered.status} ${answered.text}`);
				} else {
					assert.equal(answered.status, 403, name);
					assert.equal(answered.headers['x-error-code'], 'NOT_ALLOWED');
					assert.equal(answered.headers['www-authenticate'],
						'Bearer realm="modeld", error="insufficient_scope"');
				}
			}
		});
		if (method !== 'GET') {
			test(`${method} ${pattern} is nothing for a foreign page, whatever its token`, async () => {
				for (const foreign of [{ origin: 'https://evil.example' }, { origin: 'null' },
					{ 'sec-fetch-site': 'cross-site' }]) {
					const answered = await request(daemon, method, target, { body,
						headers: { ...bearer(tokens.admin), ...foreign } });
					assertProblem(answered, 403, 'CROSS_SITE');
				}
			});
		}
		test(`${method} ${pattern} for who has it is answered to nobody else by a cache`, async () => {
			const answered = await call(daemon, method, target, tokens[[scope].flat()[0]], body);
			if (answered.status < 300 && answered.status !== 204) {
				assert.match(answered.headers['cache-control'], /\b(private|no-store)\b/);
			}
		});
	}

	test('a publish that moves a label needs both scopes', async () => {
		const both = await makeToken(daemon, '--scope', 'publish,label', '--models', 'team/*');
		assertProblem(await post(daemon, '/models/team/m?label=stable', form(),
			{ headers: bearer(tokens.publish) }), 403, 'NOT_ALLOWED');
		const answered = await post(daemon, '/models/team/m?label=stable', form(), { headers: bearer(both) });
		assert.equal(answered.status, 200, answered.text);
		const history = await get(daemon, '/v1/models/team/m/labels/stable/history', bearer(tokens.read));
		assert.equal(history.json.history[0].who, idOf(both));
	});

	test('an upload is for its model', async () => {
		const mine = await makeToken(daemon, '--scope', 'publish', '--models', 'mine', '--name', 'ci');
		assertProblem(await call(daemon, 'POST', '/v1/uploads', mine, json({ model: 'team/m' })), 403,
			'NOT_ALLOWED');
		const made = await call(daemon, 'POST', '/v1/uploads', mine, json({ model: 'mine' }));
		assert.equal(made.status, 201, made.text);
		const at = made.headers.location;
		for (const [method, target] of [['GET', at], ['PUT', `${at}/files/a.bin`], ['PATCH', `${at}/files/a.bin`],
			['POST', `${at}:publish`], ['DELETE', at]]) {
			const answered = await call(daemon, method, target, tokens.elsewhere, 'x');
			assert.equal(answered.status, 403, `${method} ${target}`);
		}
		assert.equal((await call(daemon, 'PUT', `${at}/files/a.bin`, mine, 'x')).status, 201);
		assert.equal((await call(daemon, 'DELETE', at, mine)).status, 204);
	});
});

describe('without and with a token', () => {
	const daemon = useDaemon();

	test('on loopback everything is allowed until there is a token', async () => {
		assert.equal((await save(daemon, 'm')).status, 201);
		const token = await makeToken(daemon, '--scope', 'publish');
		const answered = await save(daemon, 'm');
		const { detail } = assertProblem(answered, 401, 'TOKEN_REQUIRED');
		assert.match(detail, /publish/);
		assert.equal((await get(daemon, '/models/m/model.json')).status, 200, 'reading stays');
		assert.equal((await save(daemon, 'm', bearer(token))).status, 200);
		await revokeToken(daemon, token);
		assert.equal((await save(daemon, 'm')).status, 200);
	});

	test('a token that is wrong, cut or revoked is 401 with invalid_token', async () => {
		const token = await makeToken(daemon, '--scope', 'publish');
		const gone = await makeToken(daemon, '--scope', 'publish');
		await revokeToken(daemon, gone);
		for (const wrong of [other(token), token.slice(0, -1), `${token}A`, gone, 'x']) {
			const answered = await save(daemon, 'm', bearer(wrong));
			assertProblem(answered, 401, 'BAD_TOKEN');
			assert.equal(answered.headers['www-authenticate'], 'Bearer realm="modeld", error="invalid_token"');
			assert.ok(!answered.text.includes(wrong.slice(20)) || wrong === 'x');
		}
		await revokeToken(daemon, token);
	});

	test('another scheme is no token', async () => {
		const token = await makeToken(daemon, '--scope', 'publish');
		assertProblem(await save(daemon, 'm', { authorization: 'Basic dTpw' }), 401, 'TOKEN_REQUIRED');
		assert.equal((await save(daemon, 'm', { authorization: `bearer  ${token}` })).status, 200);
		await revokeToken(daemon, token);
	});

	test('a token in the query changes nothing', async () => {
		const token = await makeToken(daemon, '--scope', 'publish,label,delete,admin');
		for (const [method, target] of [['POST', '/models/m'], ['DELETE', '/v1/models/m'],
			['PUT', '/v1/models/m/labels/x'], ['POST', '/v1/tokens']]) {
			assertProblem(await request(daemon, method, `${target}?k=${token}`, { body: '{}' }), 401,
				'TOKEN_REQUIRED');
		}
		await revokeToken(daemon, token);
	});

	test('a public read does not ask for the token that came, a list does', async (t) => {
		const fresh = await startDaemon(t);
		await published(fresh, 'm', model);
		assertProblem(await get(fresh, '/v1/models?k=x'), 401, 'BAD_TOKEN');
		for (const target of ['/models/m/model.json', '/models/m@1/model.weights.bin', '/models/m', '/v1/models/m']) {
			for (const answered of [await get(fresh, target, bearer('x')), await get(fresh, `${target}?k=x`),
				await get(fresh, `${target}?k=x`, bearer('y'))]) {
				assert.equal(answered.status, 200, target);
			}
		}
		await fresh.stop();
	});

	test('a token that has expired is refused and says so', async () => {
		const token = await makeToken(daemon, '--scope', 'publish', '--expires', '1ms');
		const { detail } = assertProblem(await save(daemon, 'm', bearer(token)), 401, 'BAD_TOKEN');
		assert.match(detail, /expired/);
		await revokeToken(daemon, token);
	});

	test('guessing is answered 429 after a while, and others go on', async () => {
		const token = await makeToken(daemon, '--scope', 'publish');
		const fine = await makeToken(daemon, '--scope', 'publish');
		const limited = await until('429', async () => {
			const answered = await save(daemon, 'm', bearer(other(token)));
			assert.ok([401, 429].includes(answered.status), answered.text);
			return answered.status === 429 && answered;
		});
		assertProblem(limited, 429, 'TOO_MANY_FAILURES');
		assert.ok(Number(limited.headers['retry-after']) >= 1);
		assert.equal((await save(daemon, 'm', bearer(fine))).status, 200);
		assert.equal((await get(daemon, '/models/m/model.json', bearer(other(token)))).status, 200);
		await revokeToken(daemon, token);
		await revokeToken(daemon, fine);
	});
});

describe('modeld token', () => {
	const daemon = useDaemon();
	const run = (...words) => runModeld(['token', ...words, '--store', daemon.store, '--config', '/dev/null']);

	test('list shows what there is, and never a secret', async () => {
		const token = await makeToken(daemon, '--scope', 'read,publish=team/**', '--models', 'a', '--models', 'b/*',
			'--expires', '30d', '--name', 'the ci');
		assert.equal((await save(daemon, 'team/x', bearer(token))).status, 201);
		for (const listed of [await run('list'), await run('list', '--json')]) {
			assert.equal(listed.code, 0, listed.stderr);
			assert.match(listed.stdout, /the ci/);
			assert.ok(listed.stdout.includes(idOf(token)));
			assert.ok(!listed.stdout.includes(token.slice(-20)));
		}
		const [row] = JSON.parse((await run('list', '--json')).stdout).tokens;
		assert.deepEqual(row.scopes, ['read=a', 'read=b/*', 'publish=team/**']);
		assert.ok(Math.abs(Date.parse(row.expires) - Date.now() - 30 * 86_400_000) < 3_600_000);
		await revokeToken(daemon, token);
		assert.deepEqual(JSON.parse((await run('list', '--json')).stdout), { tokens: [] });
	});

	test('the store holds no secret', async () => {
		const token = await makeToken(daemon, '--scope', 'publish');
		assert.equal((await save(daemon, 'm', bearer(token))).status, 201);
		const secret = token.match(TOKEN)[2];
		for (const file of fs.readdirSync(daemon.store).filter((name) => name.startsWith('catalog.db'))) {
			assert.equal(fs.readFileSync(`${daemon.store}/${file}`).indexOf(secret), -1, file);
		}
		assert.ok(!daemon.stderr.includes(secret));
		await revokeToken(daemon, token);
	});

	test('misuse is told', async () => {
		for (const [words, code, sentence] of [
			[['create', '--scope', 'write'], 64, /no scope write/],
			[['create', '--scope', 'read', '--models', 'A'], 64, /lower case/],
			[['revoke', 'x'], 64, /hexadecimal/],
			[['revoke', '0123456789ab'], 1, /no token 0123456789ab/],
		]) {
			const ended = await run(...words);
			assert.equal(ended.code, code, ended.stderr);
			assert.match(ended.stderr, sentence);
			assert.equal(ended.stdout, '');
		}
	});

	test('the last use is written down by the stop', async (t) => {
		const short = await startDaemon(t);
		const token = await makeToken(short, '--scope', 'publish');
		assert.equal((await save(short, 'm', bearer(token))).status, 201);
		await short.stop();
		const listed = await runModeld(['token', 'list', '--json', '--store', short.store, '--config', '/dev/null']);
		assert.ok(Date.parse(JSON.parse(listed.stdout).tokens[0].last_used) > Date.now() - 3_600_000);
	});

	test('a backup has them', async () => {
		const token = await makeToken(daemon, '--scope', 'publish');
		const backup = `${daemon.dir}/backup`;
		const again = `${daemon.dir}/again`;
		for (const words of [['backup', backup, '--store', daemon.store], ['restore', backup, '--store', again]]) {
			const ended = await runModeld([...words, '--config', '/dev/null']);
			assert.equal(ended.code, 0, ended.stderr);
		}
		const listed = await runModeld(['token', 'list', '--store', again, '--config', '/dev/null']);
		assert.ok(listed.stdout.includes(idOf(token)));
		await revokeToken(daemon, token);
	});

	test('a store that is not there is told', async () => {
		const ended = await runModeld(['token', 'create', '--scope', 'read', '--store', `${daemon.dir}/none`]);
		assert.equal(ended.code, 78);
		assert.match(ended.stderr, /no store/);
	});
});

describe('/v1/tokens', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'read' } });
	let admin;
	let teamAdmin;

	before(async () => {
		admin = await makeToken(daemon, '--scope', 'admin');
		teamAdmin = await makeToken(daemon, '--scope', 'admin', '--models', 'team/**');
	});

	const create = (value, token = admin) => call(daemon, 'POST', '/v1/tokens', token, json(value));

	test('POST makes one that works at once, and shows it once', async () => {
		const made = await create({ name: 'ci', scopes: ['publish', 'label=x'], models: ['a', 'b/**'], expires: '1h' });
		assert.equal(made.status, 201, made.text);
		assert.equal(made.headers['cache-control'], 'no-store');
		const { id, name, scopes, token, expires, created } = made.json;
		assert.match(token, TOKEN);
		assert.equal(idOf(token), id);
		assert.equal(made.headers.location, `/v1/tokens/${id}`);
		assert.equal(name, 'ci');
		assert.deepEqual(scopes, ['publish=a', 'publish=b/**', 'label=x']);
		assert.ok(Date.parse(expires) > Date.parse(created));
		assert.equal((await save(daemon, 'b/m', bearer(token))).status, 201);
		assert.equal((await save(daemon, 'c', bearer(token))).status, 403);
		const shown = await call(daemon, 'GET', `/v1/tokens/${id}`, admin);
		assert.equal(shown.json.name, 'ci');
		assert.equal(shown.json.token, undefined);
		assert.ok(!(await call(daemon, 'GET', '/v1/tokens', admin)).text.includes(token.slice(-20)));
	});

	test('DELETE revokes at once', async () => {
		const { id, token } = (await create({ scopes: ['publish'] })).json;
		for (let i = 0; i < 4; i++) {
			assert.notEqual((await save(daemon, 'm', bearer(token))).status, 401);
		}
		assert.equal((await call(daemon, 'DELETE', `/v1/tokens/${id}`, admin)).status, 204);
		for (let i = 0; i < 4; i++) {
			assertProblem(await save(daemon, 'm', bearer(token)), 401, 'BAD_TOKEN');
		}
		assertProblem(await call(daemon, 'DELETE', `/v1/tokens/${id}`, admin), 404, 'TOKEN_NOT_FOUND');
	});

	test('a revocation counts for every loop and open connection, whoever made it', async () => {
		const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
		for (let round = 0; round < 3; round++) {
			const token = await makeToken(daemon, '--scope', 'admin');
			const ask = () => Promise.all(Array.from({ length: 16 }, () =>
				request(daemon, 'GET', '/v1/tokens', { agent, headers: bearer(token) })));
			assert.ok((await ask()).every(({ status }) => status === 200));
			await revokeToken(daemon, token);
			assert.deepEqual([...new Set((await ask()).map(({ status }) => status === 200))], [false]);
		}
		agent.destroy();
	});

	test('an admin of some models hands out nothing else', async () => {
		assertProblem(await create({ scopes: ['read'] }, teamAdmin), 403, 'NOT_ALLOWED');
		assertProblem(await create({ scopes: ['publish=other'] }, teamAdmin), 403, 'NOT_ALLOWED');
		const { id, token } = (await create({ scopes: ['publish'], models: ['team/*'] }, teamAdmin)).json;
		assert.equal((await save(daemon, 'team/m', bearer(token))).status, 201);
		assertProblem(await create({ scopes: ['publish=team/m'] }, token), 403, 'NOT_ALLOWED');
		const listed = (await call(daemon, 'GET', '/v1/tokens', teamAdmin)).json.tokens.map((row) => row.id);
		assert.deepEqual(listed.sort(), [id, idOf(teamAdmin)].sort());
		assertProblem(await call(daemon, 'DELETE', `/v1/tokens/${idOf(admin)}`, teamAdmin), 404,
			'TOKEN_NOT_FOUND');
		assert.equal((await call(daemon, 'DELETE', `/v1/tokens/${id}`, teamAdmin)).status, 204);
	});

	test('what makes no sense is 400', async () => {
		for (const value of [{}, [], { scopes: [] }, { scopes: 'read' }, { scopes: ['write'] }, { scopes: [1] },
			{ scopes: ['read'], models: [] }, { scopes: ['read'], models: ['A'] }, { scopes: ['read'], models: 'a' },
			{ scopes: ['read'], expires: 5 }, { scopes: ['read'], expires: 'soon' }, { scopes: ['read'], name: 1 },
			{ scopes: ['read'], name: 'x'.repeat(65) }, { scopes: ['read'], name: 'a\nb' }]) {
			assert.equal((await create(value)).status, 400, json(value));
		}
	});

	test('a token as the address of one is not logged', async () => {
		const { token } = (await create({ scopes: ['read'] })).json;
		assert.equal((await call(daemon, 'DELETE', `/v1/tokens/${token}`, admin)).status, 204);
		await until('the line of the log', () => daemon.stderr.includes('/v1/tokens/mdl_*'));
		assert.ok(!daemon.stderr.includes(token.slice(-20)));
	});
});

describe('beyond loopback', () => {
	test('writing needs a token, and the banner says how to make one', async (t) => {
		const daemon = await startDaemon(t, { listen: '0.0.0.0:0' });
		assertProblem(await save(daemon, 'm'), 401, 'TOKEN_REQUIRED');
		await until('the banner', () => daemon.stdout.includes('modeld token create'));
		const [, words] = daemon.stdout.match(/modeld (token create .*)\n/);
		const { stdout } = await runModeld(words.replaceAll("'", '').split(' '));
		assert.equal((await save(daemon, 'm', bearer(stdout.trim()))).status, 201);
		await daemon.stop();
	});
});

describe('behind a proxy', () => {
	test('nobody is taken for one from this machine', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.hosts': 'models.example' } });
		assertProblem(await save(daemon, 'm', { host: 'models.example' }), 401, 'TOKEN_REQUIRED');
		assertProblem(await save(daemon, 'm', { 'x-forwarded-for': '192.0.2.1' }), 401, 'TOKEN_REQUIRED');
		assertProblem(await save(daemon, 'm', { 'x-forwarded-host': 'models.example' }), 401, 'TOKEN_REQUIRED');
		assertProblem(await save(daemon, 'm', { 'x-forwarded-proto': 'https' }), 401, 'TOKEN_REQUIRED');
		assertProblem(await save(daemon, 'm', { forwarded: 'for=192.0.2.1' }), 401, 'TOKEN_REQUIRED');
		assertProblem(await request(daemon, 'GET', '/v1/tokens', { headers: { host: 'models.example' } }), 401,
			'TOKEN_REQUIRED');
		assert.equal((await save(daemon, 'm')).status, 201);
		await daemon.stop();
	});
});

describe('pages', () => {
	test('a token does not make a foreign page welcome', async (t) => {
		const daemon = await startDaemon(t, { set: { 'http.cors_write_origins': 'https://app.example' } });
		const token = await makeToken(daemon, '--scope', 'publish');
		const from = (origin, site = 'cross-site') =>
			save(daemon, 'm', { ...bearer(token), origin, 'sec-fetch-site': site });
		assertProblem(await from('https://evil.example'), 403, 'CROSS_SITE');
		assertProblem(await from('null'), 403, 'CROSS_SITE');
		for (const origin of ['https://app.example', 'http://localhost:3000']) {
			const answered = await from(origin);
			assert.ok(answered.status < 300, answered.text);
			assert.equal(answered.headers['access-control-allow-origin'], '*');
			assert.equal(answered.headers['access-control-allow-credentials'], undefined);
		}
		assertProblem(await save(daemon, 'm', { origin: 'https://app.example' }), 401, 'TOKEN_REQUIRED');
		await daemon.stop();
	});

	test('the preflight of a listed origin grants what it may do', async (t) => {
		const daemon = await startDaemon(t, { listen: '0.0.0.0:0',
			set: { 'http.cors_write_origins': 'https://app.example' } });
		for (const [origin, granted] of [['https://app.example', true], ['https://evil.example', false],
			['http://localhost:3000', false]]) {
			const answered = await request(daemon, 'OPTIONS', '/models/m', { headers: { origin,
				'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } });
			assert.equal(answered.status, 204);
			assert.equal(/POST/.test(answered.headers['access-control-allow-methods']), granted, origin);
			assert.match(answered.headers['access-control-allow-headers'], /\bAuthorization\b/);
			assert.equal(answered.headers['access-control-allow-credentials'], undefined);
		}
		await daemon.stop();
	});
});

describe('quiet errors', () => {
	test('a refused shard has no body that could be taken for weights', async (t) => {
		const daemon = await startDaemon(t, { set: { 'auth.anonymous': 'none' } });
		const token = await makeToken(daemon, '--scope', 'publish');
		assert.equal((await save(daemon, 'm', bearer(token))).status, 201);
		assertQuietError(await get(daemon, '/models/m@1/model.weights.bin'), 401, 'TOKEN_REQUIRED');
		assertQuietError(await get(daemon, '/models/m@1/model.weights.bin', bearer(token)), 403, 'NOT_ALLOWED');
		assertProblem(await get(daemon, '/models/m/model.json'), 401, 'TOKEN_REQUIRED');
		assertQuietError(await get(daemon, '/models/none@1/w.bin'), 401, 'TOKEN_REQUIRED');
		await daemon.stop();
	});
});
