// SPDX-License-Identifier: Apache-2.0
// Imports as the API has them, and jobs: what is asked for, what is told, lines while it runs, the end of it.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { startDaemon, until, useDaemon, within } from '../lib/daemon.mjs';
import {
	assertOpenToPages, assertProblem, exchange, get, head, request, requestHead,
} from '../lib/http.mjs';
import { metric, metrics } from '../lib/metrics.mjs';
import { denseModel } from '../lib/models.mjs';
import { judge } from '../lib/openapi.mjs';

const LINES = 'application/x-ndjson';
const ENDED = ['done', 'failed', 'cancelled'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const DIGEST = `sha256:${'0'.repeat(64)}`;
const model = denseModel({ inputs: 100, units: 10 });
const bytesOf = new Map(model.files.map(({ path, bytes }) => [path, bytes]));
const modelBytes = model.files.reduce((n, { bytes }) => n + bytes.length, 0);
const allowed = { 'import.allow': '127.0.0.1' };

// Serves the model under any folder; shards under /held/KEY/ when release(KEY) was called.
class Source {
	#gates = new Map();

	constructor() {
		this.server = http.createServer((asked, answer) => this.#answer(asked, answer));
	}

	#gate(key) {
		if (!this.#gates.has(key)) {
			let open;
			const opened = new Promise((resolve) => { open = resolve; });
			this.#gates.set(key, { open, opened });
		}
		return this.#gates.get(key);
	}

	async #answer(asked, answer) {
		const [, folder, key, name] = asked.url.split('?')[0].split('/');
		const bytes = bytesOf.get(name);
		if (folder === 'held' && name !== 'model.json') {
			await this.#gate(key).opened;
		}
		answer.writeHead(bytes ? 200 : 404, { 'content-type': 'application/octet-stream' });
		answer.end(bytes);
	}

	async start() {
		await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
		this.origin = `http://127.0.0.1:${this.server.address().port}`;
		return this;
	}

	url(folder, key = 'x', query = '') {
		return `${this.origin}/${folder}/${key}/model.json${query}`;
	}

	release(key) {
		this.#gate(key).open();
	}

	async stop() {
		for (const { open } of this.#gates.values()) {
			open();
		}
		this.server.closeAllConnections();
		await new Promise((resolve) => { this.server.close(resolve); });
	}
}

async function startSource(t) {
	const source = new Source();
	t.after(() => source.stop());
	return source.start();
}

// ---- requests ----

function ask(daemon, name, body, headers) {
	const text = typeof body === 'string' ? body : JSON.stringify(body);
	return request(daemon, 'POST', `/v1/models/${name}:import`, { body: text, headers });
}

async function asked(daemon, name, body) {
	const answered = await ask(daemon, name, body);
	assert.equal(answered.status, 202, answered.text);
	return answered.json.id;
}

const cancel = (daemon, id, headers) => request(daemon, 'DELETE', `/v1/jobs/${id}`, { headers });

async function job(daemon, id) {
	const answered = await get(daemon, `/v1/jobs/${id}`);
	assert.equal(answered.status, 200, answered.text);
	return answered.json;
}

const ended = (daemon, id) => until(`the end of job ${id}`, async () => {
	const now = await job(daemon, id);
	return ENDED.includes(now.state) && now;
});

const running = (daemon, id) => until(`job ${id} to run`, async () => {
	const now = await job(daemon, id);
	return now.state === 'running' && now.progress.total && now;
});

async function jobs(daemon, query = '') {
	const answered = await get(daemon, `/v1/jobs${query}`);
	assert.equal(answered.status, 200, answered.text);
	return answered.json.jobs;
}

// An answer in lines, read as they come.
class Following {
	constructor(daemon, method, target, body) {
		const options = { host: '127.0.0.1', port: daemon.port, path: target, method, agent: false,
			headers: { accept: LINES } };
		this.asked = { method, target };
		this.what = `the lines of ${method} ${target}`;
		this.call = http.request(options);
		this.answered = new Promise((resolve, reject) => {
			this.call.on('error', reject);
			this.call.on('response', resolve);
		});
		this.call.end(body);
	}

	async open() {
		this.response = await within(this.what, this.answered);
		this.status = this.response.statusCode;
		this.headers = this.response.headers;
		this.lines = this.#split();
		return this;
	}

	async* #split() {
		let text = '';
		for await (const chunk of this.response.setEncoding('utf8')) {
			text += chunk;
			const lines = text.split('\n');
			text = lines.pop();
			judge({ ...this.asked, status: this.status, headers: this.headers, body: Buffer.from(lines.join('\n')) });
			yield* lines.map((line) => JSON.parse(line));
		}
		assert.equal(text, '', 'the last line has no end');
	}

	// The next line; undefined at the end, which came in order.
	async next() {
		const { value } = await within(this.what, this.lines.next());
		assert.ok(value || this.response.complete, 'the answer was cut');
		return value;
	}

	async rest() {
		const all = [];
		for (let line = await this.next(); line; line = await this.next()) {
			all.push(line);
		}
		return all;
	}

	leave() {
		this.call.destroy();
		this.response.on('error', () => {});
	}
}

const follow = (daemon, id) => new Following(daemon, 'GET', `/v1/jobs/${id}`).open();
const askAndFollow = (daemon, name, body) =>
	new Following(daemon, 'POST', `/v1/models/${name}:import`, JSON.stringify(body)).open();

describe('imports', () => {
	const daemon = useDaemon({ set: { ...allowed, 'import.jobs': '8' } });
	const source = new Source();
	before(() => source.start());
	after(() => source.stop());

	const held = async (key) => {
		const id = await asked(daemon, `held/${key}`, { url: source.url('held', key) });
		await running(daemon, id);
		return id;
	};

	// ---- asking ----

	test('are answered with a job, which ends in a version', async () => {
		const answered = await ask(daemon, 'team/first', { url: source.url('plain'), label: 'stable' });
		assert.equal(answered.status, 202, answered.text);
		assertOpenToPages(answered);
		assert.equal(answered.headers['content-type'], 'application/json');
		assert.equal(answered.headers['cache-control'], 'no-store');
		const { id } = answered.json;
		assert.equal(answered.headers.location, `/v1/jobs/${id}`);
		assert.equal(answered.json.kind, 'import');
		assert.equal(answered.json.model, 'team/first');
		assert.equal(answered.json.request.url, source.url('plain'));
		assert.match(answered.json.created, TIME);

		const done = await ended(daemon, id);
		assert.equal(done.state, 'done', JSON.stringify(done));
		assert.equal(done.version, 1);
		assert.equal(done.ref, 'team/first@1');
		assert.equal(done.url, daemon.url('/models/team/first@1/model.json'));
		assert.equal(done.label, 'stable');
		assert.equal(done.unchanged, false);
		assert.equal(done.deduplicated, false);
		assert.match(done.root_digest, /^sha256:[0-9a-f]{64}$/);
		assert.match(done.started, TIME);
		assert.match(done.finished, TIME);
		assert.equal(done.attempt, 1);
		assert.equal(done.progress.bytes, modelBytes);
		assert.equal(done.progress.files, model.files.length);
		assert.ok(!('rate' in done.progress));
		for (const [path, bytes] of bytesOf) {
			assert.equal((await get(daemon, `/models/team/first@stable/${path}`)).status, 200);
			assert.deepEqual((await get(daemon, `/models/team/first@1/${path}`)).body, Buffer.from(bytes));
		}
	});

	test('say when there was nothing new', async () => {
		const body = { url: source.url('plain', 'again') };
		const first = await ended(daemon, await asked(daemon, 'again', body));
		const second = await ended(daemon, await asked(daemon, 'again', body));
		assert.equal(first.state, 'done', JSON.stringify(first));
		assert.equal(second.version, first.version);
		assert.ok(second.unchanged || second.deduplicated);
	});

	test('fail with what failed, and without what is secret', async () => {
		const url = source.url('plain', 'gone', '?token=s3cret').replace('model.json', 'none.json');
		const failed = await ended(daemon, await asked(daemon, 'fails',
			{ url, headers: { Authorization: 'Bearer s3cret' } }));
		assert.equal(failed.state, 'failed', JSON.stringify(failed));
		assert.equal(failed.error.code, 'FETCH_STATUS');
		assert.equal(failed.error.upstream_status, 404);
		assert.equal(failed.error.url, url.replace('s3cret', '***'));
		assert.ok(failed.error.detail);
		assert.ok(!('version' in failed) && !('unchanged' in failed));
		assert.ok(!JSON.stringify(failed).includes('s3cret'));
		assert.ok(!daemon.stderr.includes('s3cret'));
		assert.equal((await get(daemon, '/v1/models/fails')).status, 404);
	});

	describe('are refused when the body is', () => {
		const url = 'https://models.example/model.json';
		const many = (n, make) => Object.fromEntries(Array.from({ length: n }, (_, i) => make(i)));
		for (const [what, body, code] of [
			['empty', '', 'BAD_JSON'],
			['no JSON', '{url: 1}', 'BAD_JSON'],
			['cut', '{"url": "https://models.exam', 'BAD_JSON'],
			['a field twice', `{"url": "${url}", "url": "${url}"}`, 'BAD_JSON'],
			['an array', [url], 'BAD_REQUEST'],
			['without url', {}, 'BAD_REQUEST'],
			['with a url of null', { url: null }, 'BAD_REQUEST'],
			['with a url that is a number', { url: 1 }, 'BAD_REQUEST'],
			['with a field that is not known', { url, wieghtPathPrefix: url }, 'BAD_REQUEST'],
			['with a mirror', { url, mirror: 'x' }, 'BAD_REQUEST'],
			['with an empty url', { url: '' }, 'BAD_URL'],
			['with a url without scheme', { url: 'models.example/model.json' }, 'BAD_URL'],
			['with a url of another scheme', { url: 'file:///etc/passwd' }, 'BAD_URL'],
			['with a password in the url', { url: 'https://a:b@models.example/model.json' }, 'BAD_URL'],
			['with a url that is too long', { url: `${url}?${'x'.repeat(2048)}` }, 'BAD_URL'],
			['with a label that is none', { url, label: 'Not a label' }, 'BAD_NAME'],
			['with the label latest', { url, label: 'latest' }, 'BAD_NAME'],
			['with a label that is a number', { url, label: 1 }, 'BAD_REQUEST'],
			['with fromTFHub in words', { url, fromTFHub: 'yes' }, 'BAD_REQUEST'],
			['with a prefix that is no URL', { url, weightPathPrefix: '../shards/' }, 'BAD_URL'],
			['with headers in an array', { url, headers: ['Authorization: x'] }, 'BAD_REQUEST'],
			['with a header that is a number', { url, headers: { 'X-A': 1 } }, 'BAD_REQUEST'],
			['with a header that is ours', { url, headers: { Host: 'x' } }, 'BAD_REQUEST'],
			['with a header of two lines', { url, headers: { 'X-A': 'x\r\nX-B: y' } }, 'BAD_REQUEST'],
			['with too many headers', { url, headers: many(33, (i) => [`X-${i}`, 'x']) }, 'BAD_REQUEST'],
			['with include in words', { url, include: 'labels.txt' }, 'BAD_REQUEST'],
			['with a path that leads out', { url, include: ['../labels.txt'] }, 'BAD_PATH'],
			['with too many companions', { url, include: Array.from({ length: 65 }, (_, i) => `${i}`) }, 'BAD_REQUEST'],
			['with expect in words', { url, expect: DIGEST }, 'BAD_REQUEST'],
			['with a root that is no digest', { url, expect: { root: 'sha256:0' } }, 'BAD_REQUEST'],
			['with a file that is no digest', { url, expect: { files: { 'model.json': 'x' } } }, 'BAD_REQUEST'],
			['with expect of something else', { url, expect: { size: 1 } }, 'BAD_REQUEST'],
		]) {
			test(what, async () => {
				assertProblem(await ask(daemon, 'refused', body), 400, code);
			});
		}

		test('with a field that is nearly one, which is named', async () => {
			const { detail } = assertProblem(await ask(daemon, 'refused', { url, lable: 'x' }), 400, 'BAD_REQUEST');
			assert.match(detail, /"lable".*"label"/);
		});

		test('too large', async () => {
			const body = { url, expect: { files: many(1001, (i) => [`f${i}`, DIGEST]) } };
			assert.equal((await ask(daemon, 'refused', body)).status, 413);
		});

		after(async () => assert.deepEqual(await jobs(daemon, '?model=refused'), []));
	});

	test('are refused for what is no model', async () => {
		assertProblem(await ask(daemon, 'Upper', { url: source.url('plain') }), 400, 'BAD_NAME');
		assertProblem(await ask(daemon, 'a/b/c/d/e', { url: source.url('plain') }), 400, 'BAD_NAME');
		assert.deepEqual(await jobs(daemon, '?model=a%2Fb'), []);
	});

	test('are refused for addresses that this server does not fetch from', async () => {
		const { detail } = assertProblem(await ask(daemon, 'inside', { url: 'https://10.1.2.3/model.json' }),
			403, 'FETCH_REFUSED');
		assert.match(detail, /import\.allow/);
		assert.deepEqual(await jobs(daemon, '?model=inside'), []);
	});

	test('are no business of a page from another site', async () => {
		const id = await held('pages');
		for (const headers of [{ origin: 'https://example.com' }, { 'sec-fetch-site': 'cross-site' }]) {
			assertProblem(await ask(daemon, 'cross', { url: source.url('plain') }, headers), 403, 'CROSS_SITE');
			assertProblem(await cancel(daemon, id, headers), 403, 'CROSS_SITE');
		}
		assert.deepEqual(await jobs(daemon, '?model=cross'), []);
		assert.equal((await job(daemon, id)).state, 'running');
		source.release('pages');
		assert.equal((await ended(daemon, id)).state, 'done');
	});

	// ---- one job ----

	test('that have ended have a validator, and running ones are not to be kept', async () => {
		const id = await held('etag');
		const early = await get(daemon, `/v1/jobs/${id}`);
		assert.equal(early.headers['cache-control'], 'no-store');
		assert.equal(early.headers.etag, undefined);
		assert.equal(early.headers.vary, 'Accept');
		source.release('etag');
		await ended(daemon, id);
		const { headers, body } = await get(daemon, `/v1/jobs/${id}`);
		assert.equal(headers['cache-control'], 'no-cache');
		assert.equal(headers.vary, 'Accept');
		assert.equal((await get(daemon, `/v1/jobs/${id}`, { 'if-none-match': headers.etag })).status, 304);
		const only = await head(daemon, `/v1/jobs/${id}`);
		assert.equal(only.status, 200);
		assert.equal(only.headers['content-length'], String(body.length));
	});

	test('that are not there are 404', async () => {
		for (const id of ['x', '0'.repeat(32), 'f'.repeat(33), '0'.repeat(31) + '%20']) {
			assertProblem(await get(daemon, `/v1/jobs/${id}`), 404, 'JOB_NOT_FOUND');
			assertProblem(await get(daemon, `/v1/jobs/${id}`, { accept: LINES }), 404, 'JOB_NOT_FOUND');
			assertProblem(await cancel(daemon, id), 404, 'JOB_NOT_FOUND');
			assert.equal((await head(daemon, `/v1/jobs/${id}`)).status, 404);
		}
	});

	// ---- the end of it ----

	test('are cancelled at once, and again', async () => {
		const id = await held('cancel');
		const first = await cancel(daemon, id);
		assert.equal(first.status, 200, first.text);
		assert.equal(first.json.id, id);
		assert.equal(first.json.state, 'cancelled');
		assert.match(first.json.finished, TIME);
		assert.equal((await job(daemon, id)).state, 'cancelled');
		const second = await cancel(daemon, id);
		assert.equal(second.status, 200);
		assert.equal(second.json.state, 'cancelled');
		assert.equal((await get(daemon, '/v1/models/held/cancel')).status, 404);
		source.release('cancel');
	});

	test('that have ended are not cancelled', async () => {
		const id = await asked(daemon, 'late', { url: source.url('plain', 'late') });
		const { state } = await ended(daemon, id);
		assert.equal(state, 'done');
		assertProblem(await cancel(daemon, id), 409, 'CONFLICT');
		assert.equal((await job(daemon, id)).state, 'done');
	});

	// ---- lines ----

	test('are followed in the answer to the request', async () => {
		const lines = await askAndFollow(daemon, 'follow/asked', { url: source.url('held', 'asked') });
		assert.equal(lines.status, 202);
		assert.equal(lines.headers['content-type'], LINES);
		assert.equal(lines.headers['transfer-encoding'], 'chunked');
		assert.equal(lines.headers['cache-control'], 'no-store');
		assert.equal(lines.headers.vary, 'Accept');
		assertOpenToPages(lines);
		const first = await lines.next();
		assert.ok(['queued', 'running'].includes(first.state), first.state);
		assert.equal(lines.headers.location, `/v1/jobs/${first.id}`);
		source.release('asked');
		const rest = await lines.rest();
		assert.ok(rest.every(({ id }) => id === first.id));
		assert.ok(rest.slice(0, -1).every(({ state }) => !ENDED.includes(state)));
		assert.equal(rest.at(-1).state, 'done', JSON.stringify(rest.at(-1)));
		assert.deepEqual(rest.at(-1), await job(daemon, first.id));
	});

	test('are followed from wherever they are, to the end', async () => {
		const id = await held('midway');
		const lines = await follow(daemon, id);
		assert.equal(lines.status, 200);
		const first = await lines.next();
		assert.equal(first.state, 'running');
		assert.equal(first.progress.total, modelBytes);
		source.release('midway');
		assert.equal((await lines.rest()).at(-1).state, 'done');
	});

	test('that have ended are one line', async () => {
		const id = await asked(daemon, 'line', { url: source.url('plain', 'line') });
		const done = await ended(daemon, id);
		assert.deepEqual(await (await follow(daemon, id)).rest(), [done]);
		const only = await head(daemon, `/v1/jobs/${id}`, { accept: LINES });
		assert.equal(only.status, 200);
		assert.equal(only.headers['content-type'], LINES);
	});

	test('are followed by who wants lines no less than a document', async () => {
		const id = await asked(daemon, 'accept', { url: source.url('plain', 'accept') });
		await ended(daemon, id);
		for (const [accept, type] of [
			['*/*', 'application/json'],
			['application/*', 'application/json'],
			[`application/json, ${LINES};q=0.5`, 'application/json'],
			[`${LINES};q=0`, 'application/json'],
			[`${LINES}, */*;q=0.1`, LINES],
			[`application/json;q=0.9, ${LINES}`, LINES],
		]) {
			const { status, headers } = await get(daemon, `/v1/jobs/${id}`, { accept });
			assert.equal(status, 200);
			assert.equal(headers['content-type'], type, accept);
		}
	});

	test('are followed over HTTP/1.0, whose connection ends with them', async () => {
		const id = await held('old');
		const text = `GET /v1/jobs/${id} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: ${LINES}\r\n\r\n`;
		const answered = exchange(daemon.port, text);
		source.release('old');
		const { answers: [one] } = await answered;
		assert.equal(one.headers['transfer-encoding'], undefined);
		const lines = one.body.toString().trimEnd().split('\n').map((line) => JSON.parse(line));
		assert.equal(lines.at(-1).state, 'done');
	});

	test('leave the connection in step', async () => {
		const id = await asked(daemon, 'step', { url: source.url('plain', 'step') });
		await ended(daemon, id);
		const { answers } = await exchange(daemon.port, requestHead('GET', `/v1/jobs/${id}`, { Accept: LINES }) +
			requestHead('GET', '/healthz', { Connection: 'close' }));
		assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
		assert.equal(answers[1].body.toString(), '{"status":"ok"}\n');
	});

	test('go on when who followed them has gone', async () => {
		const asking = await askAndFollow(daemon, 'follow/gone', { url: source.url('held', 'gone') });
		const { id } = await asking.next();
		asking.leave();
		await running(daemon, id);
		const looking = await follow(daemon, id);
		await looking.next();
		looking.leave();
		assert.equal((await job(daemon, id)).state, 'running');
		source.release('gone');
		assert.equal((await ended(daemon, id)).state, 'done');
	});

	test('tell those who follow that they were cancelled', async () => {
		const id = await held('told');
		const lines = await follow(daemon, id);
		await lines.next();
		assert.equal((await cancel(daemon, id)).status, 200);
		assert.equal((await lines.rest()).at(-1).state, 'cancelled');
		source.release('told');
	});

	test('are followed by many at once, who hold nobody up', async () => {
		const id = await held('many');
		const all = await Promise.all(Array.from({ length: 100 }, () => follow(daemon, id)));
		for (const lines of all) {
			assert.equal((await lines.next()).state, 'running');
		}
		assert.equal((await get(daemon, '/v1/models')).status, 200);
		source.release('many');
		for (const lines of all) {
			assert.equal((await lines.rest()).at(-1).state, 'done');
		}
	});

	// ---- numbers ----

	test('are counted', async () => {
		// Of a job that has ended the thread that ran it may still be on its way.
		const atWork = (n) => until(`${n} to run`, async () => (await metric(daemon, 'modeld_imports_running')) === n);
		await atWork(0);
		const was = await metrics(daemon);
		const of = (now, result) => Number(now.get(`modeld_imports_total{result="${result}"}`));
		const id = await held('counted');
		await atWork(1);
		await cancel(daemon, id);
		source.release('counted');
		await ended(daemon, await asked(daemon, 'counted/done', { url: source.url('plain', 'counted') }));
		await ended(daemon, await asked(daemon, 'counted/failed', { url: `${source.origin}/none` }));
		await until('the import to be counted', async () => {
			const now = await metrics(daemon);
			return ['done', 'failed', 'cancelled'].every((result) => of(now, result) === of(was, result) + 1);
		});
		const bytes = 'modeld_import_bytes_total';
		assert.ok(Number((await metrics(daemon)).get(bytes)) >= Number(was.get(bytes)) + modelBytes);
		assert.equal(await metric(daemon, 'modeld_imports_queued'), 0);
		assert.deepEqual((await get(daemon, '/readyz')).json, { status: 'ok' });
	});
});

describe('the list of jobs', () => {
	const daemon = useDaemon({ set: { ...allowed, 'import.jobs': '1' } });
	const source = new Source();
	const ids = []; // newest first
	before(async () => {
		await source.start();
		for (let i = 0; i < 40; i++) {
			const name = i % 2 ? 'list/odd' : 'list/even';
			ids.unshift(await asked(daemon, name, { url: source.url(i < 30 ? 'plain' : 'held', 'list') }));
		}
		await ended(daemon, ids[39 - 29]);
	});
	after(() => source.stop());
	const idsOf = (list) => list.map(({ id }) => id);

	test('is newest first, as each of them is shown', async () => {
		const list = await jobs(daemon);
		assert.deepEqual(idsOf(list), ids);
		assert.deepEqual(list.at(-1), await job(daemon, ids.at(-1)));
	});

	test('is of one model, or of those that are open', async () => {
		assert.deepEqual(idsOf(await jobs(daemon, '?model=list/odd')), ids.filter((_, i) => i % 2 === 0));
		assert.deepEqual(idsOf(await jobs(daemon, '?state=open')), ids.slice(0, 10));
		assert.deepEqual(idsOf(await jobs(daemon, '?state=open&model=list%2Feven')),
			ids.slice(0, 10).filter((_, i) => i % 2 === 1));
		assert.deepEqual(idsOf(await jobs(daemon, '?state=all&unknown=1')), ids);
		assert.deepEqual(await jobs(daemon, '?model=list'), []);
	});

	test('comes in pages', async () => {
		for (const [query, want] of [['', ids], ['&model=list/odd', ids.filter((_, i) => i % 2 === 0)],
			['&state=open', ids.slice(0, 10)]]) {
			for (const limit of [1, 7, 10, 16, 20, 39, 40, 41]) {
				const seen = [];
				let target = `/v1/jobs?limit=${limit}${query}`;
				while (target) {
					const { json, headers } = await get(daemon, target);
					assert.ok(json.jobs.length === limit || !json.next_page_token);
					seen.push(...idsOf(json.jobs));
					const next = /^<(.*)>; rel="next"$/.exec(headers.link ?? '')?.[1];
					assert.equal(Boolean(next), Boolean(json.next_page_token));
					assert.ok(!next || new URL(next, daemon.origin).searchParams.get('page_token') === json.next_page_token);
					target = next;
				}
				assert.deepEqual(seen, want, `${limit}${query}`);
			}
		}
	});

	test('has a validator', async () => {
		const { headers } = await get(daemon, '/v1/jobs?limit=5&page_token=' +
			(await get(daemon, '/v1/jobs?limit=20')).json.next_page_token);
		assert.ok(headers.etag);
	});

	for (const query of ['limit=0', 'limit=501', 'limit=x', 'state=done', 'state=', 'model=', 'model=A', 'model=a%2F%2Fb',
		'page_token=', 'page_token=x', 'page_token=1', `page_token=0.${'0'.repeat(32)}`, `page_token=1.${'0'.repeat(31)}`]) {
		test(`refuses ${query}`, async () => {
			assertProblem(await get(daemon, `/v1/jobs?${query}`), 400, 'BAD_PARAMETER');
		});
	}
});

test('a page of jobs that were asked for at length is short', async (t) => {
	const source = await startSource(t);
	const daemon = await startDaemon(t, { set: allowed });
	const files = Object.fromEntries(Array.from({ length: 480 }, (_, i) => [`${'x'.repeat(30)}/${i}.bin`, DIGEST]));
	const body = { url: `${source.origin}/none/x/none.json`, expect: { files } };
	const ids = [];
	for (let i = 0; i < 24; i++) {
		ids.unshift(await asked(daemon, 'long', body));
	}
	const seen = [];
	const sizes = [];
	for (let target = '/v1/jobs'; target;) {
		const { json, headers, body: bytes } = await get(daemon, target);
		assert.ok(bytes.length < 1.5 * 2 ** 20, `${bytes.length} bytes`);
		sizes.push(json.jobs.length);
		seen.push(...json.jobs.map(({ id }) => id));
		target = /^<(.*)>/.exec(headers.link ?? '')?.[1];
	}
	assert.deepEqual(seen, ids);
	assert.ok(sizes.length > 1, `${sizes}`);
	await daemon.stop();
});

test('imports beyond the queue are refused', async (t) => {
	const source = await startSource(t);
	const daemon = await startDaemon(t, { set: { ...allowed, 'import.queue': '1' } });
	const id = await asked(daemon, 'one', { url: source.url('held', 'one') });
	assertProblem(await ask(daemon, 'two', { url: source.url('plain') }), 429, 'TOO_MANY');
	assertProblem(await ask(daemon, 'two', { url: source.url('plain') }, { accept: LINES }), 429, 'TOO_MANY');
	await cancel(daemon, id);
	await ended(daemon, await asked(daemon, 'two', { url: source.url('plain') }));
	await daemon.stop();
});

test('a daemon that stops ends what is followed, and the job goes on after', async (t) => {
	const source = await startSource(t);
	const first = await startDaemon(t, { set: { ...allowed, 'http.drain': '10min' } });
	const lines = await askAndFollow(first, 'm', { url: source.url('held', 'stop') });
	const { id } = await lines.next();
	await running(first, id);
	await first.stop();
	assert.ok((await lines.rest()).every(({ state }) => !ENDED.includes(state)));
	source.release('stop');
	const second = await startDaemon(t, { store: first.store, set: allowed });
	const again = await follow(second, id);
	const done = (await again.rest()).at(-1);
	assert.equal(done.state, 'done', JSON.stringify(done));
	await second.stop();
});
