// SPDX-License-Identifier: Apache-2.0
// GET /metrics, as Prometheus' own tool reads it, and what conf/ makes of it: each metric that a sample names
// is there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';

import { until, useDaemon } from '../lib/daemon.mjs';
import { redirect } from '../lib/answers.mjs';
import { get, multipart, partsOf, post, publish, published, request, requestHead, Wire } from '../lib/http.mjs';
import { FROM_HERE, refused } from '../lib/imports.mjs';
import { metrics, metric } from '../lib/metrics.mjs';
import { denseModel, shardsOf, withFile } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { environment, findPrograms, program } from '../lib/packages.mjs';

const conf = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../conf');
const RULES = path.join(conf, 'prometheus/modeld.rules.yml');
const DASHBOARD = path.join(conf, 'grafana/modeld.json');

const model = denseModel({ inputs: 16 });
const bytes = model.files.reduce((sum, file) => sum + file.bytes.length, 0);
const shard = shardsOf(model)[0];

const requests = (handler, method, code) =>
	`modeld_http_requests_total{handler="${handler}",method="${method}",code="${code}"}`;

// A request is counted when its answer has been sent: until then others wait for it.
const counted = (daemon, name, n) => until(`${name} to be ${n}`, async () => (await metric(daemon, name)) === n);

describe('metrics', () => {
	const daemon = useDaemon({ set: FROM_HERE });

	before(async () => {
		await findPrograms('promtool');
		await published(daemon, 'm', model);
		await published(daemon, 'n', model);
		assert.equal((await publish(daemon, 'n', model)).status, 200);
		const refused = await publish(daemon, 'm', withFile(model, shard.path, shard.bytes.subarray(4)));
		assert.equal(refused.status, 422, refused.text);
	});

	const promtool = (words, input) => spawnSync(program('promtool'), words,
		{ input, encoding: 'utf8', env: { ...process.env, ...environment() } });

	test('promtool check metrics has nothing to say', async () => {
		const { text } = await get(daemon, '/metrics');
		const { status, stdout, stderr } = promtool(['check', 'metrics'], text);
		assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
	});

	test('promtool check rules accepts the sample', () => {
		const { status, stdout, stderr } = promtool(['check', 'rules', RULES]);
		assert.equal(status, 0, stdout + stderr);
		assert.match(stdout, /SUCCESS: \d+ rules found/);
	});

	test('every metric that the samples name exists', async () => {
		const known = new Set([...(await metrics(daemon)).keys()].map((name) => name.replace(/\{.*/, '')));
		for (const file of [RULES, DASHBOARD]) {
			const named = new Set(fs.readFileSync(file, 'utf8').match(/\b(?:modeld|process)_[a-z_]+\b/g));
			assert.ok(named.size > 5, file);
			for (const name of named) {
				assert.ok(known.has(name), `${name} of ${path.basename(file)}`);
			}
		}
	});

	test('the dashboard is whole', () => {
		const { panels, templating } = JSON.parse(fs.readFileSync(DASHBOARD, 'utf8'));
		assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
		assert.deepEqual(templating.list.map(({ name }) => name), ['datasource', 'instance']);
		for (const { title, targets, gridPos } of panels) {
			assert.ok(title && targets.length > 0 && gridPos.x + gridPos.w <= 24, title);
		}
	});

	test('publishes by what became of them, and refusals by rule', async () => {
		const now = await metrics(daemon);
		assert.equal(now.get('modeld_publishes_total{result="published"}'), 2n);
		assert.equal(now.get('modeld_publishes_total{result="deduplicated"}'), 1n);
		assert.equal(now.get('modeld_publishes_total{result="refused"}'), 1n);
		const rules = [...now].filter(([name]) => name.startsWith('modeld_publish_refusals_total{'));
		const { errors } = (await publish(daemon, 'm', withFile(model, shard.path, shard.bytes.subarray(4)))).json;
		assert.deepEqual(rules.map(([name]) => name), [...new Set(errors.filter(({ severity }) => severity === 'error')
			.map(({ rule }) => `modeld_publish_refusals_total{rule="${rule}"}`))]);
		assert.ok(rules.every(([, n]) => n === 1n));
	});

	test('a publish that ends in the middle of its body is refused, or abandoned', async () => {
		const named = (result) => `modeld_publishes_total{result="${result}"}`;
		const before = await metrics(daemon);
		const form = multipart(partsOf(model));
		const broken = await post(daemon, '/models/m', { ...form, body: form.body.subarray(0, form.body.length - 10) });
		assert.equal(broken.status, 400, broken.text);
		const coded = await post(daemon, '/models/m', form, { headers: { 'content-encoding': 'gzip' } });
		assert.equal(coded.status, 400, coded.text);
		for (const query of ['?dry_run=true', '?dry_run=maybe']) {
			assert.equal((await post(daemon, `/models/m${query}`, { ...form, body: form.body.subarray(0, 100) })).status, 400);
		}
		await counted(daemon, named('refused'), Number(before.get(named('refused'))) + 3);
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('POST', '/models/m', { ...form.headers, 'Content-Length': form.body.length }));
		await wire.send(form.body.subarray(0, 100));
		await until('its connection', async () => (await metric(daemon, 'modeld_http_connections')) > 1);
		wire.destroy();
		await counted(daemon, named('abandoned'), Number(before.get(named('abandoned'))) + 1);
		assert.equal((await metrics(daemon)).get(named('failed')), before.get(named('failed')));
	});

	test('imports that are refused, by rule', async (t) => {
		const origin = await startOrigin(t);
		origin.on('/model.json', redirect(302, 'https://10.0.0.1/model.json'));
		assert.equal((await refused(daemon, 'i', 'https://169.254.169.254/model.json')).code, 'FETCH_REFUSED');
		assert.equal((await refused(daemon, 'i', 'https://192.0.2.1:22/model.json')).code, 'FETCH_REFUSED');
		assert.equal((await refused(daemon, 'i', origin.url('/model.json'))).code, 'FETCH_REFUSED');
		assert.equal((await refused(daemon, 'i', origin.url('/none.json'))).code, 'FETCH_STATUS');
		const named = (rule) => `modeld_import_refusals_total{rule="${rule}"}`;
		await counted(daemon, named('private'), 1); // by a job, when its end has been noted
		const rules = [...await metrics(daemon)].filter(([name]) => name.startsWith('modeld_import_refusals_total{'));
		assert.deepEqual(Object.fromEntries(rules), Object.fromEntries(['metadata', 'port', 'private'].map((rule) => [named(rule), 1n])));
	});

	test('what the store holds, and what sharing saves', async () => {
		await until('the sizes', async () => (await metric(daemon, 'modeld_store_versions')) === 2);
		const now = await metrics(daemon);
		assert.equal(now.get('modeld_store_models'), 2n);
		assert.equal(now.get('modeld_store_version_bytes'), BigInt(2 * bytes));
		assert.equal(now.get('modeld_store_deduplicated_bytes'), BigInt(bytes));
		assert.ok(now.get('modeld_store_blob_bytes') >= BigInt(bytes));
	});

	test('requests by handler, method and status', async () => {
		for (let i = 0; i < 5; i++) {
			await get(daemon, `/models/m@1/${shard.path}`);
		}
		await request(daemon, 'HEAD', `/models/m@1/${shard.path}`);
		await get(daemon, `/models/m@9/${shard.path}`);
		await get(daemon, '/nothing/here');
		await request(daemon, 'OPTIONS', '/models/m');
		await counted(daemon, requests('file', 'GET', 200), 5);
		await counted(daemon, requests('file', 'HEAD', 200), 1);
		await counted(daemon, requests('file', 'GET', 404), 1);
		await counted(daemon, requests('-', 'GET', 404), 1);
		await counted(daemon, requests('-', 'OPTIONS', 204), 1);
		await counted(daemon, 'modeld_http_request_duration_seconds_count{class="file"}', 7);
		await counted(daemon, 'modeld_http_response_bytes_total{class="file"}', 5 * shard.bytes.length);
		const now = await metrics(daemon);
		assert.equal(now.get('modeld_http_request_duration_seconds_bucket{class="file",le="+Inf"}'), 7n);
		assert.ok(now.get('modeld_http_request_bytes_total{class="publish"}') > BigInt(bytes));
	});

	test('connections that are open', async () => {
		const before = await metrics(daemon);
		const wires = [new Wire(daemon.port), new Wire(daemon.port)];
		await Promise.all(wires.map((wire) => wire.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')));
		await Promise.all(wires.map((wire) => wire.answer('GET')));
		await until('three open connections', async () => (await metric(daemon, 'modeld_http_connections')) === 3);
		wires.forEach((wire) => wire.destroy());
		await until('one open connection', async () => (await metric(daemon, 'modeld_http_connections')) === 1);
		const name = 'modeld_http_connections_accepted_total';
		assert.ok((await metrics(daemon)).get(name) >= before.get(name) + 4n);
	});

	test('what the system knows of the process', async () => {
		const now = await metrics(daemon);
		assert.ok(Math.abs(Number(now.get('process_start_time_seconds')) - Date.now() / 1000) < 600);
		assert.ok(now.get('process_cpu_seconds_total') > 0);
		assert.ok(now.get('process_resident_memory_bytes') > 1_000_000n);
		assert.ok(now.get('process_virtual_memory_bytes') >= now.get('process_resident_memory_bytes'));
		assert.ok(Math.abs(Number(now.get('process_open_fds')) - daemon.descriptors()) < 10);
		assert.ok(now.get('process_max_fds') > 100n);
	});
});
