// SPDX-License-Identifier: Apache-2.0
// Severities from the configuration, what `modeld rules` prints, and verdicts without a version.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { NO_FORMS, runModeld, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, get, multipart, partsOf, post, publish, published, request,
} from '../lib/http.mjs';
import { addGraph, concat, denseModel, shardsOf, withFile, withJson } from '../lib/models.mjs';

const model = denseModel({ shardBytes: 20 });
const longer = (n) => {
	const last = shardsOf(model).at(-1);
	return withFile(model, last.path, concat([last.bytes, new Uint8Array(n)]));
};
const tooLong = longer(4);

const dryRun = (daemon, name, sent, query = 'dry_run=true', options = {}) =>
	post(daemon, `/models/${name}?${query}`, multipart(partsOf(sent)), options);

async function stored(daemon) {
	await until('temporary files to be gone', () => daemon.files('tmp').length === 0);
	return {
		blobs: daemon.files('blobs').length,
		models: (await get(daemon, '/v1/models')).json.models.map(({ name, latest }) => [name, latest]),
	};
}

const ruleOf = (rules, id) => rules.find(({ rule }) => rule === id);
const NO_FILE = ['--config', '/dev/null'];

describe('a rule that the configuration makes', () => {
	const withRules = (t, rules) => startDaemon(t, { set: { 'validation.rules': rules } });

	test('a warning publishes, and the warning is in the answer and stays with the version', async (t) => {
		const daemon = await withRules(t, 'weights.too-long=warning');
		const { findings } = await published(daemon, 'm', tooLong);
		assert.equal(findings.length, 1);
		assert.equal(findings[0].rule, 'weights.too-long');
		assert.equal(findings[0].severity, 'warning');
		const { json } = await get(daemon, '/v1/models/m/versions/1');
		assert.deepEqual(json.findings, findings);
		assert.deepEqual((await get(daemon, '/v1/models/m/rejections')).json, { rejections: [] });
		await daemon.stop();
	});

	test('off publishes without a word', async (t) => {
		const daemon = await withRules(t, 'weights.too-long=off');
		assert.deepEqual((await published(daemon, 'm', tooLong)).findings, []);
		await daemon.stop();
	});

	test('a warning on a shard that is named twice serves it twice', async (t) => {
		const daemon = await withRules(t, 'manifest.path-twice=warning');
		const halves = addGraph({ values: [1, 2, 3, 1, 2, 3], shardBytes: 12 });
		const [first, second] = shardsOf(halves).map(({ path }) => path);
		const twice = withFile(withJson(halves, (json) => {
			json.weightsManifest[0].paths = [first, first];
			return json;
		}), second, null);
		const { findings } = await published(daemon, 'm', twice);
		assert.deepEqual(findings.map(({ rule }) => rule), ['manifest.path-twice', 'weights.shard-order']);
		const { weightsManifest } = (await get(daemon, '/models/m/model.json')).json;
		assert.deepEqual(weightsManifest[0].paths, [`../m@1/${first}`, `../m@1/${first}`]);
		await daemon.stop();
	});

	test('an error, which it is already, refuses', async (t) => {
		const daemon = await withRules(t, 'weights.too-short=warning, weights.too-long=error');
		assertProblem(await publish(daemon, 'm', tooLong), 422, 'NOT_LOADABLE');
		await daemon.stop();
	});

	test('a warning hides no error beside it', async (t) => {
		const daemon = await withRules(t, 'weights.too-long=warning');
		const { errors } = assertProblem(await publish(daemon, 'm',
			withFile(model, shardsOf(model)[0].path, null)), 422, 'NOT_LOADABLE');
		assert.ok(errors.some(({ rule }) => rule === 'manifest.file-missing'));
		await daemon.stop();
	});
});

describe('a wrong severity', () => {
	for (const [rules, sentence] of [
		['weights.to-long=off', /weights\.to-long=off: there is no such rule; did you mean weights\.too-long\?$/m],
		['weights.too-long=of', /expected RULE=error, RULE=warning or RULE=off; did you mean off\?$/m],
		['json.syntax=off', /json\.syntax stays error, because nothing can be read/],
	]) {
		for (const verb of ['serve', 'check-config', 'rules']) {
			test(`${rules} is found by ${verb}`, async () => {
				const { code, stdout, stderr } = await runModeld([verb, ...NO_FILE, '--store',
					'/nonexistent/store', '--set', `validation.rules=${rules}`]);
				assert.equal(code, 78);
				assert.equal(stdout, '');
				assert.match(stderr, /^modeld: --set: \[validation\] rules: /);
				assert.match(stderr, sentence);
				assert.equal(stderr.trim().split('\n').length, 1);
			});
		}
	}
});

describe('modeld rules', () => {
	test('prints every rule with the severity in force, for people and for programs', async () => {
		const args = ['rules', ...NO_FILE, '--set', 'validation.rules=weights.too-long=warning'];
		const text = await runModeld(args);
		const json = await runModeld([...args, '--json']);
		assert.equal(text.code, 0, text.stderr);
		assert.equal(json.code, 0, json.stderr);
		const { rules } = JSON.parse(json.stdout);
		assert.ok(rules.length > 15);
		for (const { rule, severity, documentation } of rules) {
			assert.match(text.stdout, new RegExp(`^${rule.replaceAll('.', '\\.')} +${severity}`, 'm'));
			assert.notEqual(documentation, '');
		}
		const { severity, default: usual, changeable } = ruleOf(rules, 'weights.too-long');
		assert.deepEqual([severity, usual, changeable], ['warning', 'error', true]);
		assert.equal(ruleOf(rules, 'json.syntax').changeable, false);
		assert.ok(text.stdout.split('\n').every((line) => line.length <= 90));
	});

	test('--json goes with no other verb', async () => {
		const { code, stderr } = await runModeld(['check-config', '--json', ...NO_FILE]);
		assert.equal(code, 64);
		assert.match(stderr, /--json/);
	});
});

describe('a dry run', () => {
	const daemon = useDaemon({ set: NO_FORMS });

	for (const method of ['POST', 'PUT']) {
		test(`by ${method} says what would be, and stores nothing`, async () => {
			const before = await stored(daemon);
			const answered = await dryRun(daemon, 'fresh', model, 'dry_run=true', { method });
			assert.equal(answered.status, 200, answered.text);
			assertOpenToPages(answered);
			assert.equal(answered.headers['cache-control'], 'no-store');
			assert.equal(answered.headers.location, undefined);
			const { name, dry_run: dry, would_be: wouldBe, findings, modelArtifactsInfo: info, ...more } =
				answered.json;
			assert.deepEqual([name, dry, findings, more], ['fresh', true, [], {}]);
			assert.match(wouldBe.root_digest, /^sha256:[0-9a-f]{64}$/);
			assert.deepEqual(Object.keys(wouldBe), ['root_digest', 'deduplicated']);
			assert.equal(wouldBe.deduplicated, false);
			assert.equal(info.weightDataBytes, 60);
			assert.deepEqual(await stored(daemon), before);
			assert.equal((await get(daemon, '/v1/models/fresh')).status, 404);
		});
	}

	test('takes no number, and tells the digest that the publish has', async () => {
		const { would_be: wouldBe } = (await dryRun(daemon, 'numbered', model)).json;
		const first = await published(daemon, 'numbered', model);
		assert.equal(first.version, 1);
		assert.equal(first.root_digest, wouldBe.root_digest);
		const again = (await dryRun(daemon, 'numbered', model)).json.would_be;
		assert.deepEqual(again, { ...wouldBe, deduplicated: true, version: 1 });
		assert.equal((await dryRun(daemon, 'numbered', addGraph())).json.would_be.deduplicated, false);
		assert.equal((await published(daemon, 'numbered', addGraph())).version, 2);
	});

	test('is refused as the publish would be, and leaves no trace of that either', async () => {
		const before = await stored(daemon);
		const dry = assertProblem(await dryRun(daemon, 'broken', tooLong), 422, 'NOT_LOADABLE');
		assert.deepEqual((await get(daemon, '/v1/models/broken/rejections')).json, { rejections: [] });
		const real = assertProblem(await publish(daemon, 'broken', tooLong), 422, 'NOT_LOADABLE');
		assert.deepEqual({ ...dry, request_id: '' }, { ...real, request_id: '' });
		assert.deepEqual(await stored(daemon), before);
	});

	test('=false publishes', async () => {
		const answered = await dryRun(daemon, 'real', model, 'dry_run=false');
		assert.equal(answered.status, 201);
		assert.equal(answered.json.version, 1);
	});

	for (const query of ['dry_run=yes', 'dry_run=', 'dry_run', 'dry_run=TRUE', 'dry_run=1', 'dry_run=%zz',
		`dry_run=${'true'.repeat(100)}`, 'dry_run=yes&dry_run=true', 'x=1&dry_run=2',
		'%64ry_run=2']) {
		test(`with ?${query.slice(0, 30)} is 400 and publishes nothing`, async () => {
			const { detail } = assertProblem(await dryRun(daemon, 'misspelt', model, query), 400,
				'BAD_PARAMETER');
			assert.match(detail, /dry_run is true or false/);
			assert.equal((await get(daemon, '/v1/models/misspelt')).status, 404);
		});
	}

	test('is known by its name alone', async () => {
		const answered = await dryRun(daemon, 'other-query', model, 'my_dry_run=no&tfjs-format=file');
		assert.equal(answered.status, 201);
	});

	test('counts as writing: a page from elsewhere may not', async () => {
		const answered = await request(daemon, 'POST', '/models/x?dry_run=true', {
			headers: { ...multipart(partsOf(model)).headers, origin: 'https://evil.example' },
			body: multipart(partsOf(model)).body,
		});
		assert.equal(answered.status, 403);
	});
});
