// SPDX-License-Identifier: Apache-2.0
// What the description says of every operation, asked of every operation: conditions, ranges and codings of
// what is read, bodies that are none, and who may not. The answers themselves are judged as all are.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { denseModel, utf8, withFile } from '../lib/models.mjs';
import { Description } from '../lib/openapi.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';

const NAME = 'team/m';
const ABSENT = '0'.repeat(32);
const { doc } = Description.known;
const operations = Object.entries(doc.paths).flatMap(([path, item]) =>
	Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })));
const isDocument = (operation) => operation.method === 'GET' && operation.responses[206];
const hasBody = (operation) => operation.requestBody;
const typeOf = (operation) => Object.keys(Description.known.resolve(operation.requestBody).content)[0]
	.replace('multipart/form-data', 'application/x-tar');
const isJson = (operation) => operation.requestBody && !operation.requestBody.$ref;
const scopesOf = ({ security }) => security.flatMap(({ bearer: scopes = [] }) => scopes);
const needsScope = (operation) => scopesOf(operation).length > 0;
const writes = ({ method }) => method !== 'GET';

describe('every operation', () => {
	const daemon = useDaemon({ set: { 'import.allow': '127.0.0.1', 'import.attempts': 1 } });
	const made = { name: NAME, revision: 'stable', path: 'labels.txt', version: '1', label: 'stable' };

	// Its path with what there is.
	const target = ({ path }) => path.replace(/(\w+)\/\{(\w+)\}|\{(\w+)\}/g, (_, of, capture, alone) =>
		(alone ? made[alone] : `${of}/${made[capture] ?? made[of] ?? ABSENT}`));
	const ask = (operation, headers = {}, body = undefined) => {
		const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
		return request(daemon, operation.method, target(operation), { headers: { ...headers, ...length }, body });
	};

	before(async () => {
		await published(daemon, NAME, withFile(denseModel(), 'labels.txt', utf8('cat\ndog\n')));
		await request(daemon, 'PUT', `/v1/models/${NAME}/labels/stable`, { body: '{"version": 1}' });
		const upload = await request(daemon, 'POST', '/v1/uploads', { body: JSON.stringify({ model: NAME }) });
		made.uploads = upload.json.id;
		await request(daemon, 'PUT', `/v1/uploads/${made.uploads}/files/labels.txt`, { headers: { 'upload-complete': '?0' }, body: 'c' });
		const job = await request(daemon, 'POST', `/v1/models/${NAME}:import`,
			{ body: JSON.stringify({ url: 'http://127.0.0.1:1/model.json' }) });
		assert.equal(job.status, 202, job.text);
		made.jobs = job.json.id;
		await ended(job.json.id);
	});

	async function ended(id) {
		const stream = await get(daemon, `/v1/jobs/${id}`, { accept: 'application/x-ndjson' });
		assert.match(stream.text, /"state":"failed".*\n$/, 'nobody listens there');
	}

	for (const operation of operations.filter(isDocument)) {
		test(`${operation.operationId}: conditions and ranges`, async () => {
			// A token is made last: from then on nobody may read tokens without one.
			const whole = await ask(operation);
			if (operation.operationId === 'getToken') {
				assert.equal(whole.status, 404);
				return;
			}
			assert.equal(whole.status, 200, whole.text);
			const { etag } = whole.headers;
			const part = await ask(operation, { range: 'bytes=1-4' });
			assert.equal(part.status, 206);
			assert.ok(part.body.equals(whole.body.subarray(1, 5)));
			assert.equal((await ask(operation, { 'if-none-match': etag })).status, 304);
			assert.equal((await ask(operation, { 'if-match': '"other"' })).status, 412);
			assert.equal((await ask(operation, { range: 'bytes=99999999-' })).status, 416);
			assert.equal((await ask(operation, { 'accept-encoding': 'identity;q=0, x;q=1' })).status, 406);
		});
	}

	for (const operation of operations.filter(hasBody)) {
		test(`${operation.operationId}: bodies that cannot be read`, async () => {
			const coded = async (coding) => (await ask(operation,
				{ 'content-encoding': coding, 'content-type': typeOf(operation), 'upload-offset': '1' }, 'xx')).headers['x-error-code'];
			assert.equal(await coded('zstd'), 'UNSUPPORTED_MEDIA_TYPE');
			assert.equal(await coded('gzip'), 'BAD_GZIP');
			if (isJson(operation)) {
				assert.equal((await ask(operation, {}, '{')).headers['x-error-code'], 'BAD_JSON');
			}
		});
	}

	for (const operation of operations.filter(writes)) {
		test(`${operation.operationId}: not for a page from elsewhere`, async () => {
			assert.equal((await ask(operation, { origin: 'https://elsewhere.example' }, '')).headers['x-error-code'], 'CROSS_SITE');
		});
	}

	const files = (path) => `/v1/uploads/${made.uploads}/files/${path}`;
	const partial = { 'content-type': 'application/partial-upload', 'upload-offset': '0' };
	const REFUSED = [
		['asking for a file that cannot be', 'BAD_PATH', 'GET', () => files('-x')],
		['sending a file that cannot be', 'BAD_PATH', 'PUT', () => files('-x'), {}, 'x'],
		['going on with a file that cannot be', 'BAD_PATH', 'PATCH', () => files('-x'), partial, 'x'],
		['removing a file that cannot be', 'BAD_PATH', 'DELETE', () => files('-x')],
		['the history of a label that cannot be', 'LABEL_NOT_FOUND', 'GET', () => `/v1/models/${NAME}/labels/Stable/history`],
		['a link to what is no ref', 'BAD_REF', 'POST', () => '/v1/links', {}, '{"ref": "team/m@0", "ttl": 60}'],
		['an expectation', 'EXPECTATION_FAILED', 'GET', () => '/healthz', { expect: 'tea' }],
		['a long target', 'TARGET_TOO_LONG', 'GET', () => `/v1/models?${'q'.repeat(9000)}`],
	];
	for (const [what, code, method, where, headers, body] of REFUSED) {
		test(`${what} is ${code}`, async () => {
			assert.equal((await request(daemon, method, where(), { headers, body })).headers['x-error-code'], code);
		});
	}

	describe('when there are tokens', () => {
		const tokens = {};

		before(async () => {
			tokens.none = await makeToken(daemon, '--scope', 'read', '--models', 'nothing');
			tokens.all = await makeToken(daemon, '--scope', 'admin');
		});

		const needing = operations.filter(needsScope).filter((operation) => !scopesOf(operation).includes('read') || writes(operation));
		for (const operation of needing) {
			test(`${operation.operationId}: needs one, that is right, and allows it`, async () => {
				const wanted = [[{}, 401, 'TOKEN_REQUIRED'], [bearer(tokens.none), 403, 'NOT_ALLOWED']];
				for (const [headers, status, code] of wanted) {
					const answered = await ask(operation, headers, writes(operation) ? '{"ref": "team/m", "ttl": 60}' : undefined);
					assert.equal(answered.status, status, answered.text);
					assert.equal(answered.headers['x-error-code'], code);
				}
			});
		}

		test('tokens are shown to an admin', async () => {
			const made = await request(daemon, 'POST', '/v1/tokens', { headers: bearer(tokens.all), body: '{"scopes": ["read"], "name": "ci"}' });
			const whole = await get(daemon, made.headers.location, bearer(tokens.all));
			assert.equal(whole.json.name, 'ci');
			assert.equal((await get(daemon, made.headers.location, { ...bearer(tokens.all), range: 'bytes=0-3' })).status, 206);
			assert.equal((await get(daemon, made.headers.location, { ...bearer(tokens.all), 'if-none-match': whole.headers.etag })).status, 304);
			assert.equal((await request(daemon, 'DELETE', made.headers.location, { headers: bearer(tokens.all) })).status, 204);
		});
	});
});
