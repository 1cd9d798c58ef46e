// SPDX-License-Identifier: Apache-2.0
// modeld behind nginx and Caddy, as the samples of conf/ and docs/proxy.md set them up: what comes through
// is what modeld sent, and modeld knows the client.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { file } from '../lib/answers.mjs';
import { Daemon, listFiles, until } from '../lib/daemon.mjs';
import { get, multipart, partsOf, request } from '../lib/http.mjs';
import { Stream } from '../lib/imports.mjs';
import { addGraph, shardsOf, utf8, withFile } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { Proxy, proxyKinds } from '../lib/proxies.mjs';
import { Authority } from '../lib/tls.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';

const run = promisify(execFile);
const authority = new Authority();
const ca = fs.readFileSync(authority.file);
const certificate = authority.issue('localhost');
const SHARD = 1 << 20;
const CLIENT = '127.0.0.2'; // another address of this machine than the proxy's
const KEPT = ['accept-ranges', 'access-control-allow-origin', 'access-control-expose-headers', 'cache-control', 'content-encoding',
	'content-length', 'content-location', 'content-range', 'content-type', 'etag', 'last-modified', 'repr-digest', 'vary',
	'x-content-type-options', 'x-error-code'];

// RFC 9110 15.4.5 lets a 304 be without Content-Length.
const kept = ({ status, headers, body }) => ({ status, body, headers: Object.fromEntries(KEPT
	.filter((name) => name in headers && !(status === 304 && name === 'content-length')).map((name) => [name, headers[name]])) });

for (const kind of proxyKinds) {
	describe(`behind ${kind}`, () => {
		const daemon = new Daemon({ set: { 'import.allow': '127.0.0.1', 'http.trusted_proxies': '127.0.0.1' } });
		const proxy = new Proxy(kind, certificate);
		const model = withFile(addGraph({ size: SHARD / 4, shardBytes: SHARD }), 'labels.txt', utf8('cat\n'.repeat(5000)));
		const [shard] = shardsOf(model);
		let token;

		before(async () => {
			await daemon.start();
			await proxy.start(daemon.port);
			token = await makeToken(daemon, '--scope', 'read,publish,label,delete');
		});
		after(async () => {
			await proxy.stop();
			await daemon.destroy();
		});

		const through = (method, target, { headers = {}, body } = {}) => request({ port: proxy.port, ca }, method, target,
			{ headers: { host: `localhost:${proxy.port}`, ...headers }, body });
		const curl = async (...words) => (await run('curl', ['-sS', '--max-time', '60', '--interface', CLIENT, '--cacert',
			authority.file, ...words])).stdout;

		test('a model is published, under the address that the client used', async () => {
			const form = multipart(partsOf(model));
			const saved = await through('POST', '/models/m', { ...form, headers: { ...form.headers, ...bearer(token) } });
			assert.equal(saved.status, 201, saved.text);
			assert.equal(saved.json.url, `${proxy.origin}/models/m@1/model.json`);
			const label = await through('PUT', '/v1/models/m/labels/stable', { body: '{"version":1}',
				headers: { 'content-type': 'application/json', ...bearer(token) } });
			assert.equal(label.status, 201, label.text);
		});

		test('answers are those of modeld', async () => {
			const json = '/models/m@1/model.json';
			const weights = `/models/m@1/${shard.path}`;
			const text = '/models/m@1/labels.txt';
			const coded = await until('the coded form', async () => {
				const answered = await get(daemon, text, { 'accept-encoding': 'gzip' });
				return answered.headers['content-encoding'] === 'gzip' && answered;
			});
			const whole = await get(daemon, weights);
			for (const [method, target, headers] of [
				['GET', json, {}],
				['HEAD', json, {}],
				['GET', '/models/m/model.json', {}],
				['GET', '/models/m@stable/model.json', { 'accept-encoding': 'gzip, br' }],
				['GET', weights, {}],
				['HEAD', weights, {}],
				['GET', weights, { range: 'bytes=1000-500000' }],
				['GET', weights, { range: 'bytes=-10', 'if-range': whole.headers.etag }],
				['GET', weights, { range: `bytes=${SHARD}-` }],
				['GET', weights, { 'if-none-match': whole.headers.etag }],
				['GET', text, { 'accept-encoding': 'gzip' }],
				['GET', text, { 'accept-encoding': 'br' }],
				['GET', text, {}],
				['GET', text, { 'accept-encoding': 'gzip', 'if-none-match': coded.headers.etag }],
				['GET', '/models/m@1/none.bin', {}],
				['GET', '/models/none/model.json', {}],
				['OPTIONS', json, { origin: 'https://app.example', 'access-control-request-method': 'GET' }],
			]) {
				const what = `${method} ${target} ${JSON.stringify(headers)}`;
				const [direct, proxied] = [await request(daemon, method, target, { headers }), await through(method, target, { headers })];
				for (const answered of [direct, proxied]) {
					if (answered.headers['content-type'] === 'application/problem+json') {
						const { request_id: id, ...rest } = answered.json;
						assert.ok(id);
						assert.ok(delete answered.headers['content-length']);
						Object.defineProperty(answered, 'body', { value: rest });
					}
				}
				assert.deepEqual(kept(proxied), kept(direct), what);
			}
		});

		test('HTTP/2 is spoken, and the log names the client, whoever it says it is', async () => {
			const version = await curl('--http2', '-o', '/dev/null', '-w', '%{http_version} %{response_code}',
				'-H', 'X-Forwarded-For: 6.6.6.6', '-H', 'Forwarded: for=6.6.6.6', '-H', 'X-Forwarded-Proto: http',
				'-H', 'X-Forwarded-Host: evil.example', `${proxy.origin}/models/m@1/model.json?mark=h2`);
			assert.equal(version, '2 200');
			const line = await until('its line', () => daemon.stderr.split('\n').find((one) => one.includes('mark=h2')));
			assert.ok(line.includes(`client=${CLIENT}`), line);
		});

		test('a request without a token changes nothing', async () => {
			const form = multipart(partsOf(model));
			assert.equal((await through('POST', '/models/other', form)).status, 401);
		});

		test('a large body passes through while it is sent, and is written by modeld alone', async () => {
			const size = 32 << 20;
			const made = await through('POST', '/v1/uploads', { body: '{"model":"large"}',
				headers: { 'content-type': 'application/json', ...bearer(token) } });
			assert.equal(made.status, 201, made.text);
			const call = https.request({ host: '127.0.0.1', port: proxy.port, ca, agent: false, method: 'PUT',
				path: `${new URL(made.headers.location, proxy.origin).pathname}/files/large.bin`,
				headers: { host: `localhost:${proxy.port}`, 'content-length': size, ...bearer(token) } });
			const answered = new Promise((resolve, reject) => {
				call.on('error', reject);
				call.on('response', (response) => {
					response.resume();
					resolve(response.statusCode);
				});
			});
			call.write(Buffer.alloc(size / 2, 1));
			const stored = () => listFiles(daemon.store).map((file) => fs.statSync(file).size).some((bytes) => bytes > size / 8);
			await until('modeld to have a part of it', stored);
			assert.deepEqual(listFiles(`${proxy.home}/body`), []);
			call.end(Buffer.alloc(size / 2, 2));
			assert.ok([200, 201].includes(await answered));
		});

		test('lines about an import arrive as they are made', async (t) => {
			const origin = await startOrigin(t);
			origin.serve('/o', model, (bytes) => file(bytes));
			origin.hold(`/o/${shard.path}`);
			const at = { port: proxy.port, ca };
			const who = { host: `localhost:${proxy.port}`, ...bearer(token) };
			const stream = await new Stream().open(at, 'imported', { url: origin.url('/o/model.json') }, who);
			assert.equal(stream.response.statusCode, 202);
			let line = await stream.next(); // its shard is held: the end does not bring it along
			const follower = await new Stream().follow(at, line, who);
			assert.equal((await follower.next()).id, line.id);
			while (line.progress.files < 1) {
				line = await stream.next();
			}
			assert.equal(line.state, 'running');
			origin.release();
			for (const one of [stream, follower]) {
				assert.equal((await one.rest()).at(-1).state, 'done');
			}
		});

		test('without modeld there is an error that nobody takes for weights', async () => {
			await daemon.stop();
			const { status, headers, body } = await through('GET', '/models/m@1/model.json');
			assert.equal(status, kind === 'nginx' ? 503 : 502);
			assert.equal(body.length, 0);
			assert.equal(headers['access-control-allow-origin'], '*');
		});
	});
}
