// SPDX-License-Identifier: Apache-2.0
// Private models: who may not read one learns nothing of it, and no log or shared cache keeps what is secret.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, test } from 'node:test';

import { plain, reprDigest, sha256 } from '../lib/answers.mjs';
import { until, useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, assertProblem, get, head, multipart, partsOf, post, request } from '../lib/http.mjs';
import { denseModel, shardsOf, utf8 } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { bearer, idOf, makeToken } from '../lib/tokens.mjs';

const model = denseModel({ inputs: 16, shardBytes: 64, metadata: { a: 1 } });
const withLabels = { files: [...model.files, { path: 'labels.txt', bytes: new TextEncoder().encode('cat\ndog\n') }] };

describe('a private model', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'read=public/**' } });
	let writer;
	let reader;
	let stranger;

	before(async () => {
		writer = await makeToken(daemon, '--scope', 'publish,label');
		reader = await makeToken(daemon, '--scope', 'read', '--models', 'team/**', '--name', 'team');
		stranger = await makeToken(daemon, '--scope', 'read', '--models', 'other/**');
		for (const name of ['team/m', 'team/n', 'other/m', 'public/m', 'alone']) {
			const answered = await post(daemon, `/models/${name}?label=stable`, multipart(partsOf(withLabels)),
				{ headers: bearer(writer) });
			assert.equal(answered.status, 201, answered.text);
		}
	});

	const shard = shardsOf(model)[0].path;
	const TARGETS = ['/models/team/m/model.json', '/models/team/m@1/model.json', '/models/team/m@stable/model.json',
		`/models/team/m@1/${shard}`, `/models/team/m@stable/${shard}`, '/models/team/m@1', '/models/team/m',
		'/models/team/m@1?tfjs-format=compressed', '/models/team/m/labels.txt', '/v1/models/team/m',
		'/v1/models/team/m/versions/1', '/v1/models/team/m/labels', '/v1/models/team/m/labels/stable',
		'/v1/models/team/m/labels/stable/history', '/v1/models/team/m/metadata'];
	const withK = (target, token) => `${target}${target.includes('?') ? '&' : '?'}k=${token}`;

	for (const target of TARGETS) {
		test(`GET ${target}`, async () => {
			for (let round = 0; round < 3; round++) { // before and after it is at hand
				assert.equal((await get(daemon, target)).status, 401);
				assert.equal((await get(daemon, target, bearer(stranger))).status, 403);
				for (const answered of [await get(daemon, target, bearer(reader)),
					await get(daemon, withK(target, reader)), await head(daemon, withK(target, reader))]) {
					assert.equal(answered.status, 200, answered.text);
					assert.match(answered.headers['cache-control'], /^private\b/);
					assert.doesNotMatch(answered.headers['cache-control'], /public/);
					assertOpenToPages(answered);
					assert.equal(answered.headers['access-control-allow-credentials'], undefined);
					const again = await get(daemon, target, { ...bearer(reader),
						'if-none-match': answered.headers.etag });
					assert.equal(again.status, 304);
					assert.match(again.headers['cache-control'], /^private\b/);
					assert.equal((await get(daemon, target, { 'if-none-match': answered.headers.etag })).status, 401);
				}
			}
		});
	}

	test('one that is not there looks the same', async () => {
		for (const target of TARGETS) {
			const absent = await get(daemon, target.replace('team/m', 'team/none'));
			const there = await get(daemon, target);
			assert.equal(absent.status, there.status, target);
			assert.equal(absent.headers['x-error-code'], there.headers['x-error-code']);
			assert.equal((await get(daemon, target.replace('team/m', 'team/none'), bearer(stranger))).status, 403);
		}
	});

	test('ranges are private too', async () => {
		const answered = await get(daemon, `/models/team/m@1/${shard}`, { ...bearer(reader), range: 'bytes=0-3' });
		assert.equal(answered.status, 206);
		assert.match(answered.headers['cache-control'], /^private\b/);
	});

	test('a list has what who asks may read, page by page', async () => {
		const names = async (headers) => {
			const found = [];
			for (let token = ''; token !== undefined;) {
				const { json } = await get(daemon, `/v1/models?limit=1&page_token=${token}`, headers);
				assert.ok(json.models.length <= 1);
				found.push(...json.models.map(({ name }) => name));
				token = json.next_page_token;
			}
			return found;
		};
		assert.deepEqual(await names({}), ['public/m']);
		assert.deepEqual(await names(bearer(reader)), ['public/m', 'team/m', 'team/n']);
		assert.deepEqual(await names(bearer(stranger)), ['other/m', 'public/m']);
		const { json, headers } = await get(daemon, '/v1/models?limit=1');
		assert.deepEqual(json.models.map(({ name }) => name), ['public/m']);
		assert.equal(json.next_page_token, undefined, 'nothing tells of the others');
		assert.equal(headers.link, undefined);
		assert.deepEqual((await get(daemon, `/v1/models?prefix=team/&k=${reader}`)).json.models.map(({ name }) => name),
			['team/m', 'team/n']);
	});

	test('a file beside the model is the model\'s', async () => {
		assert.equal((await get(daemon, '/models/alone/labels.txt', bearer(stranger))).status, 403);
		assert.equal((await get(daemon, '/models/alone/labels.txt')).status, 401);
		assert.equal((await get(daemon, '/models/public/m/labels.txt')).text, 'cat\ndog\n');
	});

	test('nobody gets its bytes for knowing their SHA-256', async () => {
		const own = denseModel({ seed: 99 });
		assert.equal((await post(daemon, '/models/team/own', multipart(partsOf(own)), { headers: bearer(writer) })).status,
			201);
		const { bytes } = shardsOf(own)[0];
		const digest = createHash('sha256').update(bytes).digest('hex');
		const thief = await makeToken(daemon, '--scope', 'read,publish', '--models', 'thief/**');
		const friend = await makeToken(daemon, '--scope', 'publish=friend', '--scope', 'read=team/own');
		const mount = async (name, token) => {
			const made = await request(daemon, 'POST', '/v1/uploads', { headers: bearer(token),
				body: JSON.stringify({ model: name }) });
			return request(daemon, 'PUT', `${made.headers.location}/files/a.bin?digest=sha256:${digest}`,
				{ headers: bearer(token) });
		};
		assertProblem(await mount('thief/a', thief), 404, 'FILE_NOT_FOUND');
		assert.equal((await mount('friend', friend)).status, 201);
		assert.equal((await mount('thief/a', writer)).status, 201, 'publish of all models');
	});

	test('a public model beside it is public', async () => {
		for (const target of ['/models/public/m/model.json', `/models/public/m@1/${shard}`]) {
			const answered = await get(daemon, target);
			assert.equal(answered.status, 200);
			assert.doesNotMatch(answered.headers['cache-control'], /private/);
		}
	});

	test('Host is judged before the token (DNS rebinding)', async () => {
		for (const headers of [{}, bearer(reader)]) {
			for (const target of TARGETS) {
				const answered = await get(daemon, target, { ...headers, host: 'evil.example' });
				assert.equal(answered.status, 421, target);
			}
		}
	});

	test('a token in both places is 400, and one that is misspelt 401', async () => {
		const target = '/models/team/m/model.json';
		assertProblem(await get(daemon, withK(target, reader), bearer(reader)), 400, 'BAD_REQUEST');
		assertProblem(await get(daemon, withK(target, '%zz')), 401, 'BAD_TOKEN');
		assertProblem(await get(daemon, withK(target, reader.slice(0, -1))), 401, 'BAD_TOKEN');
		assert.equal((await get(daemon, `${target}?%6b=${reader}`)).status, 200);
	});

	test('any page may read it with the token, and send the header', async () => {
		const answered = await get(daemon, '/models/team/m/model.json', { ...bearer(reader),
			origin: 'https://example.com', 'sec-fetch-site': 'cross-site' });
		assert.equal(answered.status, 200);
		assertOpenToPages(answered);
		const preflight = await request(daemon, 'OPTIONS', '/models/team/m/model.json', { headers: {
			origin: 'https://example.com', 'access-control-request-method': 'GET',
			'access-control-request-headers': 'authorization' } });
		assert.equal(preflight.status, 204);
		assert.match(preflight.headers['access-control-allow-headers'], /authorization/i);
	});

	test('the history of a label says which token moved it', async () => {
		const { json } = await get(daemon, '/v1/models/team/m/labels/stable/history', bearer(reader));
		assert.equal(json.history[0].who, idOf(writer));
	});

	test('no log line has a secret', async () => {
		const marker = `/models/team/m/model.json?marker=1&k=${reader}&z=2`;
		assert.equal((await get(daemon, marker)).status, 200);
		assert.equal((await get(daemon, `/nowhere?k=${reader}`)).status, 404);
		assert.equal((await get(daemon, `/models/team/m/model.json?token=${reader}`)).status, 401);
		await until('the lines of the log', () =>
			['marker=1&k=*&z=2', '/nowhere?k=*', 'token=mdl_*'].every((text) => daemon.stderr.includes(text)));
		for (const token of [reader, writer, stranger]) {
			assert.ok(!daemon.stderr.includes(token.slice(-20)));
			assert.ok(!daemon.stdout.includes(token.slice(-20)));
		}
	});
});

describe('imports and their jobs', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'read=public/**', 'import.allow': '127.0.0.1',
		'import.attempts': '1' } });
	const tokens = {};
	const ids = {};

	const ask = (method, target, token, body) =>
		request(daemon, method, target, { headers: token ? bearer(token) : {}, body: body && JSON.stringify(body) });
	// Of a port where nobody listens: the job fails, which is as good as any.
	const submit = (name, token, more = {}) => ask('POST', `/v1/models/${name}:import`, token,
		{ url: 'http://127.0.0.1:1/model.json', ...more });

	before(async () => {
		tokens.ci = await makeToken(daemon, '--scope', 'publish', '--models', 'team/**');
		tokens.reader = await makeToken(daemon, '--scope', 'read', '--models', 'team/**');
		tokens.stranger = await makeToken(daemon, '--scope', 'read,publish', '--models', 'other/**');
		for (const [name, token] of [['team/a', tokens.ci], ['other/a', tokens.stranger], ['team/b', tokens.ci]]) {
			const answered = await submit(name, token);
			assert.equal(answered.status, 202, answered.text);
			ids[name] = answered.json.id;
		}
	});

	test('an import needs publish, and with a label that as well', async () => {
		assertProblem(await submit('team/a'), 401, 'TOKEN_REQUIRED');
		assertProblem(await submit('team/a', tokens.reader), 403, 'NOT_ALLOWED');
		assertProblem(await submit('team/a', tokens.stranger), 403, 'NOT_ALLOWED');
		assertProblem(await submit('team/a', tokens.ci, { label: 'stable' }), 403, 'NOT_ALLOWED');
	});

	test('a list has the jobs of models that may be read or published, and tells of no others', async () => {
		const listed = async (token, query = '') => (await ask('GET', `/v1/jobs${query}`, token)).json;
		assert.deepEqual((await listed()).jobs, []);
		for (const token of [tokens.ci, tokens.reader]) {
			assert.deepEqual((await listed(token)).jobs.map(({ model: name }) => name), ['team/b', 'team/a']);
		}
		assert.deepEqual((await listed(tokens.stranger)).jobs.map(({ model: name }) => name), ['other/a']);
		assert.equal((await listed(tokens.stranger, '?limit=1')).next_page_token, undefined);
		const first = await listed(tokens.reader, '?limit=1');
		assert.deepEqual(first.jobs.map(({ id }) => id), [ids['team/b']]);
		const rest = await listed(tokens.reader, `?limit=1&page_token=${first.next_page_token}`);
		assert.deepEqual(rest.jobs.map(({ id }) => id), [ids['team/a']]);
		assert.equal(rest.next_page_token, undefined);
	});

	test('one job is shown to those, and is not there for others', async () => {
		for (const token of [tokens.ci, tokens.reader]) {
			assert.equal((await ask('GET', `/v1/jobs/${ids['team/a']}`, token)).status, 200);
		}
		for (const headers of [bearer(tokens.stranger), {}, { accept: 'application/x-ndjson' }]) {
			const answered = await get(daemon, `/v1/jobs/${ids['team/a']}`, headers);
			const absent = await get(daemon, `/v1/jobs/${'0'.repeat(32)}`, headers);
			assertProblem(answered, 404, 'JOB_NOT_FOUND');
			assert.equal(absent.status, 404);
		}
	});

	// An origin that has all but the shard, and says what its SHA-256 is, in each way there is.
	const WAYS = [
		['that the request expects', plain(utf8(''), {}, 404), ({ path }, digest) => ({ expect: { files: { [path]: `sha256:${digest}` } } })],
		['that a description of another modeld names', plain(utf8(''), {}, 404)],
		['that its answer has', ({ bytes }) => (exchange) => exchange.head(200,
			{ 'Content-Length': bytes.length, 'Repr-Digest': reprDigest(bytes) }).then(() => exchange.close())],
	];
	for (const [i, [what, answer, more]] of WAYS.entries()) {
		test(`nobody gets the bytes of a private model by a digest ${what}`, async (t) => {
			const secret = denseModel({ seed: 70 + i, inputs: 300_000 });
			const [shard] = shardsOf(secret);
			const made = await post(daemon, `/models/team/secret${i}`, multipart(partsOf(secret)), { headers: bearer(tokens.ci) });
			assert.equal(made.status, 201, made.text);
			const origin = await startOrigin(t);
			const at = `/models/up/net@1/${shard.path}`;
			const describe = (...files) => utf8(JSON.stringify({ name: 'up/net', version: 1, root_digest: made.json.root_digest,
				files: files.map(({ path, bytes }) => ({ path, bytes: bytes.length, sha256: sha256(bytes) })) }));
			const [json] = secret.files.filter(({ path }) => path === 'model.json');
			origin.on('/models/up/net@1/model.json', plain(Buffer.from(json.bytes)));
			origin.on('/models/up/net@1', plain(describe(shard, json)));
			origin.on(at, i === 2 ? answer(shard) : answer);
			const body = { url: origin.url(i === 1 ? '/models/up/net@1' : '/models/up/net@1/model.json'), ...more?.(shard, sha256(shard.bytes)) };
			const end = async (name, token) => {
				const answered = await ask('POST', `/v1/models/${name}:import`, token, body);
				assert.equal(answered.status, 202, answered.text);
				return until('its end', async () => {
					const { json: job } = await ask('GET', `/v1/jobs/${answered.json.id}`, token);
					return ['done', 'failed'].includes(job.state) && job;
				});
			};
			const failed = await end('other/theft', tokens.stranger);
			assert.equal(failed.state, 'failed', JSON.stringify(failed));
			const done = await end('team/copy', tokens.ci);
			assert.equal(done.state, 'done', JSON.stringify(done));
		});
	}

	test('to cancel one needs publish', async () => {
		const at = `/v1/jobs/${ids['team/a']}`;
		assertProblem(await ask('DELETE', at, tokens.stranger), 404, 'JOB_NOT_FOUND');
		assertProblem(await ask('DELETE', at, tokens.reader), 403, 'NOT_ALLOWED');
		assert.ok([200, 409].includes((await ask('DELETE', at, tokens.ci)).status));
	});
});
