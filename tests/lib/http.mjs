// SPDX-License-Identifier: Apache-2.0
// HTTP as a test needs it: nothing is added, followed, decoded or hidden.

import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

import { Daemon, within } from './daemon.mjs';
import { judge, judgeWire } from './openapi.mjs';

const CRLF = '\r\n';

// One request by Node's client, the target exactly as given; over TLS to who has a `ca`. Gives {status, headers, body, ...}, of
// a daemon only what /v1/openapi.json describes.
export function request(daemon, method, target, { headers = {}, body, agent } = {}) {
	const options = {
		host: '127.0.0.1',
		port: daemon.port,
		path: target,
		method,
		agent: agent ?? false,
		headers,
		ca: daemon.ca,
	};
	const answered = new Promise((resolve, reject) => {
		const call = (daemon.ca ? https : http).request(options, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const answered = answer(response, Buffer.concat(chunks));
				try {
					judgeOf(daemon, { method, target, sent: { headers, body } }, answered);
					resolve(answered);
				} catch (error) {
					reject(error);
				}
			});
		});
		call.on('error', reject);
		call.end(body);
	});
	return within(`the answer to ${method} ${target}`, answered);
}

// What a proxy or another server says is its own affair.
function judgeOf(daemon, asked, { status, headers, body }) {
	if (daemon instanceof Daemon) {
		judge({ ...asked, status, headers, body });
	}
}

function answer(response, body) {
	return {
		status: response.statusCode,
		headers: response.headers,
		rawHeaders: response.rawHeaders,
		body,
		get text() {
			return body.toString('utf8');
		},
		get json() {
			return JSON.parse(body.toString('utf8'));
		},
	};
}

export const get = (daemon, target, headers) => request(daemon, 'GET', target, { headers });
export const head = (daemon, target, headers) => request(daemon, 'HEAD', target, { headers });

// multipart/form-data of [{name?, filename?, type?, body, head?}], in their order. `head` replaces
// the header lines of a part.
export function multipart(parts, { boundary = 'boundary-of-a-test', preamble = '',
	close = true } = {}) {
	const pieces = [Buffer.from(preamble)];
	for (const part of parts) {
		pieces.push(Buffer.from(`--${boundary}${CRLF}${partHead(part)}${CRLF}`));
		pieces.push(Buffer.from(part.body), Buffer.from(CRLF));
	}
	if (close) {
		pieces.push(Buffer.from(`--${boundary}--${CRLF}`));
	}
	return {
		headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
		body: Buffer.concat(pieces),
	};
}

function partHead({ name, filename, type, head: lines }) {
	if (lines !== undefined) {
		return lines.map((line) => line + CRLF).join('');
	}
	let disposition = 'Content-Disposition: form-data';
	if (name !== undefined) {
		disposition += `; name="${name}"`;
	}
	if (filename !== undefined) {
		disposition += `; filename="${filename}"`;
	}
	return disposition + CRLF + (type === undefined ? '' : `Content-Type: ${type}${CRLF}`);
}

// The parts of a model as model.save names them: name and filename alike.
export function partsOf(model) {
	return model.files.map(({ path, bytes }) => ({
		name: path,
		filename: path,
		type: path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
		body: bytes,
	}));
}

export function post(daemon, target, form, { method = 'POST', headers = {} } = {}) {
	return request(daemon, method, target, {
		headers: { ...form.headers, 'content-length': form.body.length, ...headers },
		body: form.body,
	});
}

export function publish(daemon, name, model) {
	return post(daemon, `/models/${name}`, multipart(partsOf(model)));
}

// Publish, and the test is lost if that fails.
export async function published(daemon, name, model) {
	const answered = await publish(daemon, name, model);
	assert.equal(answered.status, 201, answered.text);
	return answered.json;
}

// ---- bytes over a socket ----

export class Wire {
	#chunks = []; // joined when they are looked at, and not once for each

	// `localAddress`: where it is to come from.
	constructor(port, { localAddress } = {}) {
		this.closed = false;
		this.reset = false;
		this.socket = net.connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
		this.socket.setNoDelay(true);
		this.waiters = new Set();
		this.socket.on('data', (bytes) => {
			this.#chunks.push(bytes);
			this.#wake();
		});
		this.socket.on('end', () => this.#close(false));
		this.socket.on('error', () => this.#close(true));
		this.socket.on('close', () => this.#close(false));
		this.opened = new Promise((resolve, reject) => {
			this.socket.once('connect', resolve);
			this.socket.once('error', reject);
		});
		this.opened.catch(() => {});
	}

	get received() {
		if (this.#chunks.length > 1) {
			this.#chunks = [Buffer.concat(this.#chunks)];
		}
		return this.#chunks[0] ?? Buffer.alloc(0);
	}

	#size() {
		return this.#chunks.reduce((n, chunk) => n + chunk.length, 0);
	}

	#take(n) {
		this.#chunks = [this.received.subarray(n)];
	}

	#wake() {
		for (const waiter of this.waiters) {
			waiter();
		}
	}

	#close(reset) {
		this.closed = true;
		this.reset ||= reset;
		this.#wake();
	}

	async send(...pieces) {
		await this.opened;
		for (const piece of pieces) {
			await new Promise((resolve) => this.socket.write(piece, () => resolve()));
		}
	}

	// Sends a head whose body is to follow, and is content when the daemon has begun with the request, which it
	// says by 100 (RFC 9110 10.1.1). That others were answered meanwhile tells nothing: each loop goes by itself.
	async begin(method, target, headers) {
		await this.send(requestHead(method, target, { ...headers, Expect: '100-continue' }));
		assert.equal((await this.answer(method))?.status, 100);
	}

	// Sends, and reads the first bytes that come for it and no more until the socket is resumed.
	async sendAndPause(...pieces) {
		const begun = new Promise((resolve) => {
			this.socket.once('data', () => resolve(this.socket.pause()));
			this.socket.once('close', resolve);
		});
		await this.send(...pieces);
		await within('the beginning of an answer', begun);
	}

	// No more bytes from this side.
	finish() {
		this.socket.end();
	}

	destroy() {
		this.socket.destroy();
	}

	async #wait(what, ready) {
		let wake;
		const waiting = new Promise((resolve) => {
			wake = () => ready() && resolve();
			this.waiters.add(wake);
			wake();
		});
		try {
			await within(what, waiting);
		} finally {
			this.waiters.delete(wake);
		}
	}

	// The next answer, taken off what was received. `method` is that of its request.
	async answer(method = 'GET') {
		let found;
		let enough = 0;
		await this.#wait('an answer', () => {
			if (this.#size() >= enough || this.closed) {
				found = parseAnswer(this.received, method, this.closed);
				enough = found ? 0 : sizeOfAnswer(this.received, method);
			}
			return found || this.closed;
		});
		if (!found) {
			return null;
		}
		this.#take(found.size);
		judgeWire({ method, ...found });
		return found;
	}

	// Everything until the server closes.
	async rest() {
		await this.#wait('the server to close the connection', () => this.closed);
		return this.received;
	}
}

export function parseHead(text) {
	const [first, ...lines] = text.split(CRLF);
	const status = /^HTTP\/1\.[01] (\d{3}) /.exec(first + ' ');
	assert.ok(status, `not a status line: ${JSON.stringify(first)}`);
	const headers = {};
	for (const line of lines) {
		const colon = line.indexOf(':');
		assert.ok(colon > 0, `not a header line: ${JSON.stringify(line)}`);
		const name = line.slice(0, colon).toLowerCase();
		const value = line.slice(colon + 1).trim();
		headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
	}
	return { status: Number(status[1]), headers };
}

function bodyEnd(bytes, start, method, { status, headers }, closed) {
	if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
		return start;
	}
	if (headers['transfer-encoding'] === 'chunked') {
		const end = bytes.indexOf('0\r\n\r\n', start);
		return end < 0 ? -1 : end + 5;
	}
	if (headers['content-length'] !== undefined) {
		const end = start + Number(headers['content-length']);
		return bytes.length < end ? -1 : end;
	}
	return closed ? bytes.length : -1;
}

// How many bytes there must be before it is worth another look.
function sizeOfAnswer(bytes, method) {
	const headEnd = bytes.indexOf('\r\n\r\n');
	if (headEnd < 0) {
		return 0;
	}
	const { status, headers } = parseHead(bytes.subarray(0, headEnd).toString('latin1'));
	const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
	return hasBody ? headEnd + 4 + Number(headers['content-length'] ?? 0) : 0;
}

// One whole answer at the start of the bytes, or null.
function parseAnswer(bytes, method, closed) {
	const headEnd = bytes.indexOf('\r\n\r\n');
	if (headEnd < 0) {
		return null;
	}
	const parsed = parseHead(bytes.subarray(0, headEnd).toString('latin1'));
	const end = bodyEnd(bytes, headEnd + 4, method, parsed, closed);
	return end < 0 ? null : { ...parsed, body: bytes.subarray(headEnd + 4, end), size: end };
}

// Send bytes and give every answer that comes until the server closes.
export async function exchange(port, bytes, methods = ['GET']) {
	const wire = new Wire(port);
	try {
		await wire.send(bytes);
		const answers = [];
		for (;;) {
			const one = await wire.answer(methods[answers.length] ?? 'GET');
			if (!one) {
				break;
			}
			answers.push(one);
		}
		const left = await wire.rest();
		return { answers, left, reset: wire.reset };
	} finally {
		wire.destroy();
	}
}

// The head of a request with a body, as text.
export function requestHead(method, target, headers, host = '127.0.0.1') {
	const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`];
	for (const [name, value] of Object.entries(headers)) {
		lines.push(`${name}: ${value}`);
	}
	return lines.join(CRLF) + CRLF + CRLF;
}

// ---- what answers promise ----

// Every answer of this server, whatever its status, may be read by every page.
export function assertOpenToPages(answered) {
	assert.equal(answered.headers['access-control-allow-origin'], '*');
	assert.match(answered.headers['access-control-expose-headers'] ?? '', /etag/i);
	assert.equal(answered.headers['cross-origin-resource-policy'], 'cross-origin');
	assert.equal(answered.headers['timing-allow-origin'], '*');
	assert.equal(answered.headers['x-content-type-options'], 'nosniff');
}

export function assertProblem(answered, status, code) {
	assert.equal(answered.status, status, answered.text);
	assertOpenToPages(answered);
	assert.match(answered.headers['content-type'], /^application\/problem\+json/);
	assert.equal(answered.headers['cache-control'], 'no-store');
	assert.equal(answered.headers['x-error-code'], code);
	const problem = answered.json;
	assert.equal(problem.code, code);
	assert.equal(problem.type, `urn:modeld:problem:${code.toLowerCase().replaceAll('_', '-')}`);
	assert.equal(problem.status, status);
	assert.equal(problem.error, problem.detail);
	for (const member of ['title', 'detail', 'request_id']) {
		assert.equal(typeof problem[member], 'string', `${member} of ${answered.text}`);
		assert.notEqual(problem[member], '', member);
	}
	return problem;
}

// The answer to a shard's path: a TensorFlow.js client decodes whatever body it is sent.
export function assertQuietError(answered, status, code) {
	assert.equal(answered.status, status);
	assertOpenToPages(answered);
	assert.equal(answered.body.length, 0);
	assert.equal(answered.headers['x-error-code'], code);
	assert.equal(answered.headers['cache-control'], 'no-store');
}
