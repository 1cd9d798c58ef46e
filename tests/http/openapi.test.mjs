// SPDX-License-Identifier: Apache-2.0
// /v1/openapi.json: how it is served, and that tools of others find it right. That the daemon answers as
// it says is what lib/openapi.mjs judges, in all tests.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { before, describe, test } from 'node:test';
import zlib from 'node:zlib';

import { Validator } from '@seriousme/openapi-schema-validator';

import { useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, get, head, published, request } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { describedByTool, Description, faultsOf, validatorOf } from '../lib/openapi.mjs';

const redocly = createRequire(import.meta.url)('@redocly/openapi-core');

const TARGET = '/v1/openapi.json';

describe('the description of the API', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	let answered;
	let doc;

	before(async () => {
		answered = await get(daemon, TARGET);
		doc = answered.json;
	});

	test('is there for everybody, may be cached, and has an ETag', async () => {
		assert.equal(answered.status, 200);
		assertOpenToPages(answered);
		assert.equal(answered.headers['content-type'], 'application/json');
		assert.equal(answered.headers['cache-control'], 'public, max-age=3600');
		assert.equal((await get(daemon, '/v1/models')).status, 401, 'the rest is not');
		const again = await get(daemon, TARGET, { 'If-None-Match': answered.headers.etag });
		assert.equal(again.status, 304);
		assert.equal((await head(daemon, TARGET)).headers['content-length'], String(answered.body.length));
	});

	for (const [coding, decode] of [['br', zlib.brotliDecompressSync], ['gzip', zlib.gunzipSync]]) {
		test(`comes in ${coding} to who takes that`, async () => {
			const coded = await get(daemon, TARGET, { 'Accept-Encoding': coding });
			assert.equal(coded.headers['content-encoding'], coding);
			assert.ok(decode(coded.body).equals(answered.body));
			assert.ok(coded.body.length < answered.body.length / 4);
		});
	}

	test('is what the build prints', () => {
		assert.ok(answered.text === describedByTool(), 'the daemon and server/api/generate beside it are of different builds');
	});

	test('is OpenAPI 3.1', async () => {
		const validator = new Validator();
		const { valid, errors } = await validator.validate(structuredClone(doc));
		assert.ok(valid, JSON.stringify(errors));
		assert.equal(validator.version, '3.1');
	});

	test('follows the recommended rules of Redocly', async () => {
		const config = await redocly.createConfig({
			extends: ['recommended'],
			rules: {
				// What has an '@' in its last segment is a version, and nothing else is.
				'no-ambiguous-paths': 'off',
				// Headers of every answer, and the answer to OPTIONS, belong to no operation.
				'no-unused-components': 'off',
			},
		});
		const problems = await redocly.lintFromString({ source: answered.text, absoluteRef: '/openapi.json', config });
		assert.deepEqual(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0].pointer]), []);
	});

	test('has schemas of JSON Schema 2020-12 that a strict validator takes', () => {
		const ajv = validatorOf(doc);
		assert.equal(doc.jsonSchemaDialect, 'https://json-schema.org/draft/2020-12/schema');
		for (const [name, schema] of Object.entries(doc.components.schemas)) {
			assert.ok(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`);
			ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
		}
	});

	test('closes what answers say', () => {
		const open = ['LabelMove', 'LinkRequest', 'ModelJson', 'PublishUpload', 'TokenRequest', 'UploadRequest'];
		const objects = Object.entries(doc.components.schemas).filter(([, schema]) => schema.type === 'object');
		const unclosed = objects.filter(([, schema]) => schema.additionalProperties === undefined).map(([name]) => name);
		assert.deepEqual(unclosed.sort(), open, 'what is sent, and what TensorFlow.js writes');
	});
});

describe('who judges answers by it', () => {
	test('finds the operation that the router finds', () => {
		const found = [
			['GET', '/models/a/b/model.json', 'getModelJson'],
			['HEAD', '/models/a/b/model.json', 'getModelJson'],
			['GET', '/models/a/b@7/model.json', 'getFile'],
			['GET', '/models/a/b%407/deep/x.bin', 'getFile'],
			['GET', '/models/a/b@stable', 'describeRef'],
			['GET', '/models/a/b', 'describeNewest'],
			['PUT', '/models/a', 'publishByPut'],
			['POST', '/v1/models/a/b:import', 'importModel'],
			['GET', '/v1/models/a/b/versions/7/metadata', 'getVersionMetadata'],
			['GET', '/v1/models/a/labels', 'listLabels'],
			['POST', '/v1/uploads/0:publish', 'publishUpload'],
			['PATCH', '/v1/uploads/0/files/a/b', 'patchUploadFile'],
			['DELETE', '/v1/models', undefined],
			['GET', '/v2', undefined],
			['GET', '/models/%zz', undefined],
		];
		for (const [method, target, id] of found) {
			assert.equal(Description.known.find(method, target)?.operation.operationId, id, `${method} ${target}`);
		}
	});

	describe('finds what is not described', () => {
		const daemon = useDaemon();
		const answers = {};

		async function take(name, method, target, options) {
			const { status, headers, body } = await request(daemon, method, target, options);
			answers[name] = { method, target, status, headers, body, sent: options };
		}

		before(async () => {
			await published(daemon, 'team/judged', denseModel());
			await take('model', 'GET', '/v1/models/team/judged');
			await take('shard', 'GET', '/models/team/judged@7/group1-shard1of1.bin');
			await take('absent', 'GET', '/v1/models/nothing');
			await take('label', 'PUT', '/v1/models/team/judged/labels/stable', { body: '{"version": 1}' });
		});

		const edited = (answered, json) => ({ ...answered, body: Buffer.from(JSON.stringify(json(JSON.parse(answered.body)))) });
		const withHeaders = (answered, headers) => ({ ...answered, headers: { ...answered.headers, ...headers } });
		const cases = {
			'nothing where all is well': [() => answers.model],
			'nothing in the answer to HEAD': [() => ({ ...answers.model, method: 'HEAD', body: Buffer.alloc(0) })],
			'a member': [() => edited(answers.model, (json) => ({ ...json, extra: 1 })),
				/body must NOT have additional properties \{"additionalProperty":"extra"\} \(#\/components\/schemas\/Model: /],
			'a member of another schema': [() => edited(answers.model, (json) => ({ ...json, versions: [{ ...json.versions[0], ref: 'A' }] })),
				/body\/versions\/0\/ref must match pattern .*schemas\/Ref/],
			'that a member is missing': [() => edited(answers.model, ({ latest, ...json }) => json), /required property 'latest'/],
			'a time that is none': [() => edited(answers.model, (json) => ({ ...json, updated: 'yesterday Z' })), /updated must match format/],
			'that it is not JSON': [() => ({ ...answers.model, body: Buffer.from('{') }), /the body is not JSON/],
			'a status': [() => ({ ...answers.model, status: 202 }), /the status 202 {2}is not described/],
			'a content type': [() => withHeaders(answers.model, { 'content-type': 'text/html' }), /the content type "text\/html"/],
			'a header': [() => withHeaders(answers.model, { 'x-secret': '1' }), /the header x-secret: 1 is not described/],
			'that a header is missing': [() => withHeaders(answers.model, { etag: undefined }), /the header ETag is missing/],
			'that a header of all answers is missing': [() => withHeaders(answers.model, { 'timing-allow-origin': undefined }),
				/the header Timing-Allow-Origin is missing/],
			'what a header says': [() => withHeaders(answers.model, { etag: 'W/"1"' }), /ETag: W\/"1" must match pattern/],
			'a code of another operation': [() => withHeaders(answers.absent, { 'x-error-code': 'JOB_NOT_FOUND' }),
				/JOB_NOT_FOUND is not among x-modeld-errors[^]*the body says another/],
			'a body that is taken for weights': [() => ({ ...answers.shard, body: answers.absent.body }), /there should be no body/],
			'what was sent': [() => ({ ...answers.label, sent: { body: '{"version": "1"}' } }), /what was sent: \/version must be integer/],
			'a parameter': [() => ({ ...answers.model, target: `${answers.model.target}?limit=501` }), /limit=501 must be <= 500/],
			'nothing in what the library answers itself': [() => ({ ...answers.model, status: 431, headers: { connection: 'close' },
				body: Buffer.from('<html><head><title>Request too big</title></head>') })],
			'an error without a code': [() => ({ ...answers.model, status: 404 }), /the error undefined is not among/],
			'the path of nothing': [() => ({ ...answers.model, target: '/v1/model' }), /there is no such operation/],
		};
		for (const [what, [answered, pattern]] of Object.entries(cases)) {
			test(what, () => {
				const faults = faultsOf(answered());
				if (pattern) {
					assert.match(faults.join('\n'), pattern);
				} else {
					assert.deepEqual(faults, []);
				}
			});
		}
	});

	// As a test does that takes any failure for a lost connection.
	test('fails the process, whatever the test makes of it', () => {
		const lib = new URL('../lib/openapi.mjs', import.meta.url);
		const answered = "{ method: 'GET', target: '/healthz', status: 299, headers: {}, body: Buffer.alloc(0) }";
		const code = `import { judge } from '${lib}'; try { judge(${answered}); } catch { console.log('caught'); }`;
		const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
		assert.equal(stdout, 'caught\n');
		assert.match(stderr, /GET \/healthz was answered with 299, and not as \/v1\/openapi.json describes isAlive/);
		assert.equal(status, 1);
	});
});
