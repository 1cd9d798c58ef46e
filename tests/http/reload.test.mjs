// SPDX-License-Identifier: Apache-2.0
// SIGHUP: what of the configuration counts from then on, that what is under way goes on, and that a
// configuration that makes no sense changes nothing.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { NO_FORMS, scratchDir, startDaemon, until, within } from '../lib/daemon.mjs';
import {
	Wire, assertProblem, get, multipart, partsOf, post, publish, published, request, requestHead,
} from '../lib/http.mjs';
import { assertHolds, ended, importOf, submit, versionsOf, when } from '../lib/imports.mjs';
import { metric } from '../lib/metrics.mjs';
import { addGraph, concat, denseModel, shardsOf, withFile } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { reloaded, reloads, rewritten, startConfigured } from '../lib/reload.mjs';
import { Authority } from '../lib/tls.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';
import { assertSound } from '../lib/writer.mjs';

const GOOD = 'modeld_config_last_reload_successful';
const WHEN = 'modeld_config_last_reload_success_timestamp_seconds';
const VERSIONS = 400; // less than a list of them has at most
const model = (fill) => denseModel({ inputs: 16, fill, shardBytes: 40, metadata: { fill } });

async function opened(daemon, name) {
	const answered = await request(daemon, 'POST', '/v1/uploads', { body: JSON.stringify({ model: name }) });
	assert.equal(answered.status, 201, answered.text);
	return answered.headers.location;
}

// A request whose body has come by half; finish() sends the rest and gives the answer.
async function halfSent(daemon, method, target, headers, body) {
	const wire = new Wire(daemon.port);
	const half = body.length >> 1;
	await wire.begin(method, target, { ...headers, 'Content-Length': body.length });
	await wire.send(body.subarray(0, half));
	return async () => {
		await wire.send(body.subarray(half));
		const answered = await wire.answer(method);
		wire.destroy();
		return answered;
	};
}

describe('a reload takes over', () => {
	test('hosts, and answers for none that is gone, on open connections too', async (t) => {
		const daemon = await startConfigured(t, { 'http.hosts': 'old.example' });
		const ask = (host) => get(daemon, '/healthz', { host });
		const open = new Wire(daemon.port);
		await open.send(requestHead('GET', '/healthz', {}, 'old.example'));
		assert.equal((await open.answer()).status, 200);
		await reloaded(daemon, { 'http.hosts': 'new.example' });
		assert.equal((await ask('new.example')).status, 200);
		assertProblem(await ask('old.example'), 421, 'WRONG_HOST');
		await open.send(requestHead('GET', '/healthz', {}, 'old.example'));
		assert.equal((await open.answer()).status, 421);
		open.destroy();
		await daemon.stop();
	});

	test('origins that may write', async (t) => {
		const daemon = await startConfigured(t);
		const save = (name) => post(daemon, `/models/${name}`, multipart(partsOf(model(1))),
			{ headers: { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' } });
		assertProblem(await save('m'), 403, 'CROSS_SITE');
		await reloaded(daemon, { 'http.cors_write_origins': 'https://app.example' });
		assert.equal((await save('m')).status, 201);
		await reloaded(daemon, {});
		assertProblem(await save('n'), 403, 'CROSS_SITE');
		await daemon.stop();
	});

	test('trusted proxies, and believes none that is gone', async (t) => {
		const daemon = await startConfigured(t);
		const through = () => get(daemon, '/healthz', { 'x-forwarded-proto': 'gopher' });
		assert.equal((await through()).status, 200);
		await reloaded(daemon, { 'http.trusted_proxies': '127.0.0.0/8' });
		assertProblem(await through(), 400, 'BAD_REQUEST');
		await reloaded(daemon, {});
		assert.equal((await through()).status, 200);
		await daemon.stop();
	});

	test('patience with heads and with silent connections', async (t) => {
		const daemon = await startConfigured(t, { 'http.head_timeout': '1h', 'http.timeout': '1h' });
		const drip = new Wire(daemon.port);
		const silent = new Wire(daemon.port);
		await drip.send('GET /healthz HT');
		await silent.send(requestHead('GET', '/healthz', {}));
		assert.equal((await silent.answer()).status, 200);
		await reloaded(daemon, { 'http.head_timeout': '1s', 'http.timeout': '1h' });
		assert.match((await drip.rest()).toString(), /^HTTP\/1\.1 408 /);
		assert.ok(!silent.closed);
		await reloaded(daemon, { 'http.head_timeout': '1h', 'http.timeout': '1s' });
		assert.equal((await silent.rest()).length, 0);
		await daemon.stop();
	});

	test('connections that an address may have', async (t) => {
		const daemon = await startConfigured(t);
		const first = new Wire(daemon.port);
		await first.send(requestHead('GET', '/healthz', {}));
		assert.equal((await first.answer()).status, 200);
		await reloaded(daemon, { 'http.connections_per_address': '1' });
		await assert.rejects(get(daemon, '/healthz'));
		await first.send(requestHead('GET', '/healthz', {}));
		assert.equal((await first.answer()).status, 200);
		first.destroy();
		await daemon.stop();
	});

	test('what everybody may do, also with what is kept in memory', async (t) => {
		const daemon = await startConfigured(t, { 'auth.anonymous': 'read publish' });
		const { files: [json, shard] } = model(1);
		const form = multipart(partsOf(model(2)));
		await published(daemon, 'm', model(1));
		const read = () => get(daemon, `/models/m@1/${shard.path}`);
		for (let i = 0; i < 3; i++) {
			const answered = await read();
			assert.equal(answered.status, 200);
			assert.match(answered.headers['cache-control'], /public/);
		}
		const finish = await halfSent(daemon, 'POST', '/models/m', { 'Content-Type': form.headers['content-type'] }, form.body);
		await reloaded(daemon, { 'auth.anonymous': 'none' });
		assert.equal((await read()).status, 401);
		assert.equal((await get(daemon, `/models/m@1/${json.path}`)).status, 401);
		assert.equal((await publish(daemon, 'm', model(3))).status, 401);
		assert.equal((await finish()).status, 201, 'it was let in before');
		await reloaded(daemon, { 'auth.anonymous': 'read=m' });
		assert.equal((await read()).status, 200);
		assert.deepEqual(await versionsOf(daemon, 'm'), [2, 1]);
		await daemon.stop();
	});

	test('limits, and uploads on their way keep theirs', async (t) => {
		const daemon = await startConfigured(t, NO_FORMS);
		const upload = await opened(daemon, 'm');
		const body = Buffer.alloc(200_000, 1);
		const put = await halfSent(daemon, 'PUT', `${upload}/files/a.bin`, {}, body);
		const form = multipart(partsOf(addGraph({ size: 30_000 })));
		const whole = await halfSent(daemon, 'POST', '/models/whole', { 'Content-Type': form.headers['content-type'] }, form.body);
		await reloaded(daemon, { ...NO_FORMS, 'limits.file': '1KiB', 'limits.uploads': '1' });
		assert.equal((await put()).status, 201);
		assert.equal((await whole()).status, 201);
		assertProblem(await request(daemon, 'PUT', `${upload}/files/b.bin`, { body }), 413, 'TOO_LARGE');
		assertProblem(await publish(daemon, 'n', addGraph({ size: 30_000 })), 413, 'TOO_LARGE');
		assertProblem(await request(daemon, 'POST', '/v1/uploads', { body: '{"model":"m"}' }), 429, 'TOO_MANY');
		assert.equal((await get(daemon, upload)).json.limits.file, 1024);
		await reloaded(daemon, NO_FORMS);
		await published(daemon, 'n', addGraph({ size: 30_000 }));
		await daemon.stop();
	});

	test('quotas and how many versions a model may have', async (t) => {
		const daemon = await startConfigured(t);
		await published(daemon, 'team/m', model(1));
		await reloaded(daemon, { 'limits.quotas': 'team=1KiB' });
		assertProblem(await publish(daemon, 'team/m', addGraph({ size: 1000 })), 507, 'QUOTA_FULL');
		await published(daemon, 'other/m', addGraph({ size: 1000 }));
		await reloaded(daemon, { 'limits.versions': '1' });
		assertProblem(await publish(daemon, 'team/m', model(2)), 507, 'QUOTA_FULL');
		await reloaded(daemon, {});
		await published(daemon, 'team/m', model(2));
		await daemon.stop();
	});

	test('rules of validation', async (t) => {
		const daemon = await startConfigured(t);
		const last = shardsOf(model(1)).at(-1);
		const tooLong = withFile(model(1), last.path, concat([last.bytes, new Uint8Array(4)]));
		assert.equal((await publish(daemon, 'm', tooLong)).status, 422);
		await reloaded(daemon, { 'validation.rules': 'weights.too-long=warning' });
		assert.equal((await published(daemon, 'm', tooLong)).findings[0].severity, 'warning');
		await reloaded(daemon, {});
		assert.equal((await publish(daemon, 'n', tooLong)).status, 422);
		await daemon.stop();
	});

	test('which versions are kept', async (t) => {
		const daemon = await startConfigured(t, { 'retention.interval': '0' });
		for (const fill of [1, 2, 3]) {
			await published(daemon, 'm', model(fill));
		}
		await reloaded(daemon, { 'retention.rules': 'm=last:1', 'retention.interval': '1s' });
		await until('the others to be deleted', async () => (await versionsOf(daemon, 'm')).length === 1);
		await daemon.stop();
	});

	test('when unused files are collected', async (t) => {
		const daemon = await startConfigured(t, { ...NO_FORMS, 'store.gc_interval': '0' });
		await published(daemon, 'm', model(1));
		assert.equal((await request(daemon, 'DELETE', '/v1/models/m')).status, 204);
		assert.ok(daemon.files('blobs').length > 0);
		await reloaded(daemon, { ...NO_FORMS, 'store.gc_interval': '1s', 'store.gc_grace': '0' });
		await until('no file to be left', () => daemon.files('blobs').length === 0);
		await daemon.stop();
	});

	test('the rates of what runs beside, also from and to never', async (t) => {
		const off = { 'store.scrub_rate': '0', 'store.precompress_rate': '0' };
		const daemon = await startConfigured(t, off);
		await published(daemon, 'm', withFile(model(1), 'labels.txt', Buffer.from('label\n'.repeat(1000))));
		const coded = async () => (await get(daemon, '/models/m@1/labels.txt', { 'accept-encoding': 'br' })).headers['content-encoding'];
		assert.equal(await coded(), undefined);
		assert.equal(await metric(daemon, 'modeld_scrub_last_pass_timestamp_seconds'), 0);
		await reloaded(daemon, { 'store.scrub_rate': '1GiB', 'store.scrub_interval': '1s', 'store.precompress_rate': '1GiB' });
		await until('a coded form', async () => await coded() === 'br');
		await until('a pass', async () => await metric(daemon, 'modeld_scrub_last_pass_timestamp_seconds') > 0);
		await reloaded(daemon, off);
		await published(daemon, 'n', withFile(model(2), 'labels.txt', Buffer.from('other\n'.repeat(1000))));
		assert.equal(await metric(daemon, 'modeld_precompress_queue_files') > 0, true);
		await daemon.stop();
	});

	test('hosts to import from, and an import on its way keeps its own', async (t) => {
		const daemon = await startConfigured(t, NO_FORMS);
		const origin = await startOrigin(t);
		const sent = model(1);
		origin.serve('/m', sent, (bytes) => file(bytes));
		assertProblem(await importOf(daemon, 'm', { url: origin.url('/m/model.json') }), 403, 'FETCH_REFUSED');
		await reloaded(daemon, { ...NO_FORMS, 'import.allow': '127.0.0.1' });
		const [shard] = shardsOf(sent);
		origin.hold(`/m/${shard.path}`);
		const job = await submit(daemon, 'm', origin.url('/m/model.json'));
		await until('the shard to be asked for', () => origin.seen(`/m/${shard.path}`).length > 0);
		await reloaded(daemon, NO_FORMS);
		assertProblem(await importOf(daemon, 'n', { url: origin.url('/m/model.json') }), 403, 'FETCH_REFUSED');
		origin.release();
		assert.equal((await ended(daemon, job)).state, 'done');
		await assertHolds(daemon, 'm', 1, sent.files);
		await daemon.stop();
	});

	test('how many imports run at a time', async (t) => {
		const values = { ...NO_FORMS, 'import.allow': '127.0.0.1', 'import.jobs': '1' };
		const daemon = await startConfigured(t, values);
		const origin = await startOrigin(t);
		origin.serve('/m', model(1), (bytes) => file(bytes));
		origin.hold('/m/model.json');
		const jobs = [await submit(daemon, 'a', origin.url('/m/model.json')), await submit(daemon, 'b', origin.url('/m/model.json'))];
		await when(daemon, jobs[0], 'it to run', ({ state }) => state === 'running');
		assert.equal((await get(daemon, `/v1/jobs/${jobs[1].id}`)).json.state, 'queued');
		await reloaded(daemon, { ...values, 'import.jobs': '2' });
		await when(daemon, jobs[1], 'it to run', ({ state }) => state === 'running');
		origin.release();
		for (const job of jobs) {
			assert.equal((await ended(daemon, job)).state, 'done');
		}
		await daemon.stop();
	});

	test('mirrors that come, change and go', async (t) => {
		const source = await startDaemon(t);
		await published(source, 'origin', model(1));
		const url = source.url('/models/origin/model.json');
		const mirrors = (sources) => ({ ...NO_FORMS, 'import.allow': '127.0.0.1', 'import.sources': sources });
		const daemon = await startConfigured(t, mirrors(''));
		assert.equal(await metric(daemon, 'modeld_mirrors'), 0);
		await reloaded(daemon, mirrors(`copy=${url}|1s`));
		await until('the mirror', async () => (await get(daemon, '/models/copy@1/model.json')).status === 200);
		await reloaded(daemon, mirrors(`copy@stable=${url}|1s`));
		await until('its label', async () => (await get(daemon, '/v1/models/copy/labels/stable')).json?.version === 1);
		await reloaded(daemon, mirrors(''));
		await until('none to be left', async () => await metric(daemon, 'modeld_mirrors') === 0);
		assert.equal((await get(daemon, '/models/copy@1/model.json')).status, 200);
		await source.stop();
		await daemon.stop();
	});

	test('how lines are written, and which', async (t) => {
		const daemon = await startConfigured(t, { 'log.access': 'no' });
		const lines = (mark) => daemon.stderr.split('\n').slice(0, -1).filter((line) => line.includes(mark));
		const wire = new Wire(daemon.port);
		// A request is over, and its line written or not, when another one on its connection is answered.
		const over = async (mark) => {
			for (const target of [`/healthz?mark=${mark}`, '/healthz']) {
				await wire.send(requestHead('GET', target, {}));
				assert.equal((await wire.answer()).status, 200);
			}
		};
		await over('one');
		await reloaded(daemon, { 'log.format': 'json' });
		await get(daemon, '/healthz?mark=two');
		await until('a line of JSON', () => lines('mark=two').length === 1);
		assert.equal(JSON.parse(lines('mark=two')[0]).msg, 'request');
		await reloaded(daemon, { 'log.access': 'no' });
		await over('three');
		await reloaded(daemon, {});
		await get(daemon, '/healthz?mark=four');
		await until('a line', () => lines('mark=four').length === 1);
		assert.deepEqual([lines('mark=one'), lines('mark=three')], [[], []]);
		wire.destroy();
		await daemon.stop();
	});

	test('a certificate under another name', async (t) => {
		const authority = new Authority();
		const ca = fs.readFileSync(authority.file);
		const [first, second] = [authority.issue('127.0.0.1'), authority.issue('127.0.0.1')];
		const values = ({ certFile, keyFile }) => ({ 'tls.certificate': certFile, 'tls.key': keyFile });
		const daemon = await startConfigured(t, values(first), { listen: 'tls:127.0.0.1:0', ca });
		const served = () => within('a handshake', new Promise((resolve, reject) => {
			const socket = tls.connect({ host: '127.0.0.1', port: daemon.port, ca }, () => {
				resolve(socket.getPeerX509Certificate().toString());
				socket.destroy();
			}).on('error', reject);
		}));
		const before = await served();
		await reloaded(daemon, values(second));
		assert.notEqual(await served(), before);
		assert.equal(await rewritten(daemon, '[tls]\ncertificate = /nowhere/cert.pem\nkey = /nowhere/key.pem\n'), 'kept');
		assert.notEqual(await served(), before);
		await daemon.stop();
	});
});

test('what takes a restart is named, and stays as it is', async (t) => {
	const daemon = await startConfigured(t, { 'http.threads': '1' });
	await reloaded(daemon, { 'http.threads': '2', 'work.queue': '7', 'http.hosts': 'a.example' });
	assert.match(daemon.stderr, /level=warning msg="a change of these keys takes a restart" keys="http\.threads, work\.queue"/);
	assert.match(daemon.stderr, /msg="reloaded the configuration" changed=http\.hosts\n/);
	await reloaded(daemon, { 'http.threads': '2' });
	assert.equal(daemon.stderr.match(/takes a restart/g).length, 2, 'it is named as long as it differs');
	await daemon.stop();
});

test('the environment and the command line stand above the file as at the start', async (t) => {
	const daemon = await startConfigured(t, { 'limits.file': '1MiB' },
		{ env: { MODELD_LIMITS_FILE: '2MiB' }, set: { 'limits.files': '77' } });
	await reloaded(daemon, { 'limits.file': '3MiB', 'limits.files': '5', 'limits.version': '4MiB' });
	const { limits } = (await get(daemon, await opened(daemon, 'm'))).json;
	assert.deepEqual([limits.file, limits.files, limits.version], [2 << 20, 77, 4 << 20]);
	await daemon.stop();
});

describe('a configuration that makes no sense', () => {
	test('is explained to whoever may administer all models', async (t) => {
		const daemon = await startConfigured(t);
		const some = await makeToken(daemon, '--scope', 'admin', '--models', 'team/**');
		const all = await makeToken(daemon, '--scope', 'admin');
		assert.equal(await rewritten(daemon, '[limits]\nfiles = 0\n'), 'kept');
		for (const headers of [{}, bearer(some), { authorization: 'Bearer mdl_none' }]) {
			const { status, json } = await get(daemon, '/readyz', headers);
			assert.equal(status, 200);
			assert.deepEqual(Object.keys(json.failed_reload), ['at']);
		}
		assert.match((await get(daemon, '/readyz', bearer(all))).json.failed_reload.error, /files = 0/);
		await daemon.stop();
	});

	const broken = {
		'a line that is none': ['limits]', /modeld\.conf:5: /],
		'a value out of range': ['[limits]\nfiles = 0', /modeld\.conf:6: \[limits\] files = 0: expected /],
		'an unknown rule': ['[validation]\nrules = no.such=off', /modeld\.conf:6: \[validation\] rules: /],
		'a proxy that is no address': ['[http]\ntrusted_proxies = here', /modeld\.conf:6: \[http\] trusted_proxies: /],
		'a host to import from that is none': ['[import]\nallow = 1.2.3.4/99', /modeld\.conf:6: \[import\] allow: /],
	};

	for (const [what, [lines, said]] of Object.entries(broken)) {
		test(`is refused whole: ${what}`, async (t) => {
			const daemon = await startConfigured(t, { 'http.hosts': 'old.example' });
			const since = await metric(daemon, WHEN);
			assert.equal(await rewritten(daemon, `[http]\nhosts = new.example\n[limits]\nfile = 1KiB\n${lines}\n`), 'kept');
			const errors = daemon.stderr.split('\n').filter((line) => line.includes('level=error'));
			assert.equal(errors.length, 1, daemon.stderr);
			assert.match(errors[0], said);
			assertProblem(await get(daemon, '/healthz', { host: 'new.example' }), 421, 'WRONG_HOST');
			assert.equal((await get(daemon, '/healthz', { host: 'old.example' })).status, 200);
			assert.notEqual((await get(daemon, await opened(daemon, 'm'))).json.limits.file, 1024);

			const ready = await get(daemon, '/readyz');
			assert.equal(ready.status, 200);
			assert.match(ready.json.failed_reload.error, said);
			assert.ok(Date.parse(ready.json.failed_reload.at) > 0);
			assert.deepEqual([await metric(daemon, GOOD), await metric(daemon, WHEN)], [0, since]);

			await reloaded(daemon, { 'http.hosts': 'new.example' });
			assert.equal((await get(daemon, '/healthz', { host: 'new.example' })).status, 200);
			assert.deepEqual((await get(daemon, '/readyz')).json, { status: 'ok' });
			assert.equal(await metric(daemon, GOOD), 1);
			assert.ok(await metric(daemon, WHEN) >= since);
			await daemon.stop();
		});
	}

	test('is that of a file that is gone, when it was named', async (t) => {
		const daemon = await startConfigured(t);
		fs.rmSync(daemon.file);
		const before = reloads(daemon);
		process.kill(daemon.pid, 'SIGHUP');
		await until('the end of a reload', () => reloads(daemon) > before);
		assert.match(daemon.stderr, /was not reloaded.*modeld\.conf/);
		await daemon.stop();
	});
});

test('a reload leaves neither a thread nor a descriptor behind', async (t) => {
	const values = (i) => ({ ...NO_FORMS, 'limits.files': String(100 + i), 'import.allow': `10.0.0.${i}` });
	const daemon = await startConfigured(t, values(0));
	const held = () => ({ threads: fs.readdirSync(`/proc/${daemon.pid}/task`).length, descriptors: daemon.descriptors() });
	await reloaded(daemon, values(1));
	const before = held();
	for (let i = 2; i < 22; i++) {
		await reloaded(daemon, values(i));
	}
	// Some come and go, and the catalog opens more for who asks at the same time: fewer than reloads.
	const few = (now, then) => now < then + 10;
	await until('about as many as before', () => few(held().threads, before.threads) && few(held().descriptors, before.descriptors));
	await daemon.stop();
});

test('reads, publishes and imports go on through fifty reloads', async (t) => {
	const origin = await startOrigin(t);
	const far = addGraph({ seed: 9, size: 1 << 18, shardBytes: 1 << 16 });
	origin.serve('/m', far, (bytes) => file(bytes));
	const values = (i) => ({
		...NO_FORMS, 'import.allow': '127.0.0.1', 'limits.files': String(100 + i % 3), 'http.hosts': `h${i}.example same.example`,
		'auth.anonymous': i % 2 ? 'read publish admin' : 'auto', 'http.head_timeout': `${20 + i}s`, 'retention.rules': `x=last:${1 + i}`,
		'limits.quotas': `team=${i + 1}GiB`, 'store.scrub_rate': i % 2 ? '0' : '1MiB', 'log.format': i % 2 ? 'json' : 'logfmt',
		'http.min_rate': '0', 'http.trusted_proxies': i % 2 ? '10.0.0.0/8' : '10.0.0.0/8 192.168.0.0/16', 'validation.rules': i % 2 ? 'weights.too-long=warning' : '',
	});
	const daemon = await startConfigured(t, values(0));
	const steady = addGraph({ size: 4000 });
	await published(daemon, 'steady', steady);
	let over = false;
	const counts = { reads: 0, kept: 0, publishes: 0, imports: 0 };
	const wire = new Wire(daemon.port);

	async function read() {
		while (!over) {
			for (const { path: name, bytes } of steady.files) {
				const answered = await get(daemon, `/models/steady@1/${name}`, { host: 'same.example' });
				assert.equal(answered.status, 200);
				assert.ok(answered.body.equals(Buffer.from(bytes)));
				counts.reads++;
			}
		}
	}
	async function readOn() {
		while (!over) {
			await wire.send(requestHead('GET', '/v1/models', {}));
			assert.equal((await wire.answer()).status, 200);
			counts.kept++;
		}
	}
	async function write() {
		while (!over && counts.publishes < VERSIONS) {
			await published(daemon, 'written', model(counts.publishes));
			counts.publishes++;
		}
	}
	async function fetchOn() {
		while (!over) {
			const job = await submit(daemon, `fetched/m${counts.imports}`, origin.url('/m/model.json'));
			assert.equal((await ended(daemon, job)).state, 'done');
			counts.imports++;
		}
	}
	const finish = await halfSent(daemon, 'PUT', `${await opened(daemon, 'slow')}/files/a.bin`, {}, Buffer.alloc(100_000, 7));
	const load = Promise.all([read(), readOn(), write(), fetchOn()]);
	load.catch(() => { over = true; });
	for (let i = 1; i <= 50 && !over; i++) {
		await reloaded(daemon, values(i));
	}
	over = true;
	await load;
	assert.equal((await finish()).status, 201);
	for (const [what, n] of Object.entries(counts)) {
		assert.ok(n > 0, `${what}: ${n}`);
	}
	assert.deepEqual((await versionsOf(daemon, 'written')).length, counts.publishes);
	wire.destroy();
	await daemon.stop();
	await assertSound(daemon.store);
});
