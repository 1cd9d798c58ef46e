// SPDX-License-Identifier: Apache-2.0
// A host that models are fetched from, which does what a test tells it to: over bare sockets, since HTTP
// servers refuse to be wrong. It remembers every request. Tests wait for what arrives, and let go what they
// held back; nothing is timed.
//
// What a path answers is a function (exchange) => Promise, called for each request; those that many tests
// want are in answers.mjs. When it returns without having closed, the connection takes the next request.

import net from 'node:net';
import tls from 'node:tls';

import { within } from './daemon.mjs';

const CRLF = '\r\n';
const HEAD_END = Buffer.from(CRLF + CRLF);
const REASONS = { 200: 'OK', 206: 'Partial Content', 304: 'Not Modified', 404: 'Not Found', 416: 'Range Not Satisfiable' };

// A door that is shut: `await opened` until somebody calls open().
export function gate() {
	let open;
	const opened = new Promise((resolve) => { open = resolve; });
	return { open, opened };
}

function parseRequest(text) {
	const [first, ...lines] = text.split(CRLF);
	const [method, target] = first.split(' ');
	const headers = {};
	for (const line of lines) {
		const colon = line.indexOf(':');
		headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
	}
	return { method, target, path: target.split('?')[0], headers, text };
}

export class Exchange {
	constructor(origin, socket, request) {
		this.origin = origin;
		this.socket = socket;
		this.request = request;
	}

	get headers() {
		return this.request.headers;
	}

	get closed() {
		return this.socket.destroyed || this.socket.writableEnded;
	}

	// The status line and fields, which may be given as pairs to come twice; not the empty line with `open`.
	head(status, fields = {}, { reason = REASONS[status] ?? 'As told', open = false } = {}) {
		const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
		const lines = pairs.map(([name, value]) => `${name}: ${value}${CRLF}`).join('');
		this.request.status ??= status;
		return this.raw(`HTTP/1.1 ${status} ${reason}${CRLF}${lines}${open ? '' : CRLF}`);
	}

	// Bytes of the body, which are counted.
	async write(bytes) {
		this.request.sent += bytes.length;
		await this.raw(bytes);
		this.origin.wake();
	}

	// Settles when the kernel has them, or when nobody takes them any more.
	raw(bytes) {
		return new Promise((resolve) => {
			if (this.closed) {
				resolve();
				return;
			}
			this.socket.once('close', resolve);
			this.socket.write(bytes, () => {
				this.socket.off('close', resolve);
				resolve();
			});
		});
	}

	// Until the client is gone.
	gone() {
		return this.request.gone;
	}

	close() {
		return new Promise((resolve) => { this.socket.end(resolve); });
	}

	reset() {
		if (this.socket instanceof tls.TLSSocket) {
			this.socket.destroy(); // without close_notify
		} else {
			this.socket.resetAndDestroy();
		}
	}
}

const notFound = async (exchange) => {
	await exchange.head(404, { 'Content-Length': 9, 'Content-Type': 'text/plain' });
	await exchange.write(Buffer.from('Not here.'));
};

export class Origin {
	#answers = new Map();
	#held = new Map();
	#waiters = new Set();
	#sockets = new Set();

	// `secure` is what Authority.issue() gave: https.
	constructor({ secure, host = '127.0.0.1', port = 0 } = {}) {
		this.requests = [];
		this.connections = 0;
		this.active = 0; // requests under way
		this.peak = 0;
		this.host = host;
		this.fallback = notFound; // what other paths answer
		this.wanted = port;
		this.scheme = secure ? 'https' : 'http';
		const serve = (socket) => this.#serve(socket);
		this.server = secure ? tls.createServer({ ...secure, ALPNProtocols: ['http/1.1'] }, serve) : net.createServer(serve);
		this.server.on('tlsClientError', () => {}); // a client that does not trust us goes away
	}

	start() {
		return new Promise((resolve, reject) => {
			this.server.once('error', reject);
			this.server.listen(this.wanted, this.host, () => {
				this.port = this.server.address().port;
				const host = this.host.includes(':') ? `[${this.host}]` : this.host;
				this.origin = `${this.scheme}://${host}:${this.port}`;
				resolve(this);
			});
		});
	}

	stop() {
		for (const held of this.#held.values()) {
			held.open();
		}
		for (const socket of this.#sockets) {
			socket.destroy();
		}
		return new Promise((resolve) => { this.server.close(resolve); });
	}

	url(target) {
		return this.origin + target;
	}

	// ---- what it answers ----

	on(path, answer) {
		this.#answers.set(path, answer);
		return this;
	}

	// The files of a model below a folder; `made` makes answers of their bytes.
	serve(folder, model, made) {
		for (const file of model.files) {
			this.on(`${folder}/${file.path}`, made(Buffer.from(file.bytes), file.path));
		}
		return this;
	}

	// Requests for the path, from now on, wait before they are answered until release().
	hold(...paths) {
		paths.forEach((path) => this.#held.set(path, gate()));
	}

	release(...paths) {
		for (const path of paths.length > 0 ? paths : [...this.#held.keys()]) {
			this.#held.get(path)?.open();
			this.#held.delete(path);
		}
	}

	// ---- what it saw ----

	seen(path) {
		return this.requests.filter((request) => path === undefined || request.path === path);
	}

	// Paths with queries, in the order of the alphabet.
	targets() {
		return this.requests.map(({ target }) => target).sort();
	}

	// Those of which a body was sent: model.json is asked for once more at the end, whether it is still the same.
	fetched() {
		return this.requests.filter(({ status, sent }) => sent > 0 || status !== 304).map(({ target }) => target).sort();
	}

	forget() {
		this.requests = [];
		this.peak = this.active;
	}

	// Bytes of bodies that were sent for a path, or all.
	sent(path) {
		return this.seen(path).reduce((sum, { sent }) => sum + sent, 0);
	}

	// The n-th request for the path, once it is there.
	async arrived(path, n = 1) {
		await this.when(`request ${n} for ${path}`, () => this.seen(path).length >= n);
		return this.seen(path)[n - 1];
	}

	// Until something is so, looked at when requests come and end, and when bytes are sent.
	async when(what, ready) {
		let wake;
		const waiting = new Promise((resolve) => {
			wake = () => ready() && resolve();
			this.#waiters.add(wake);
			wake();
		});
		try {
			await within(what, waiting);
		} finally {
			this.#waiters.delete(wake);
		}
	}

	// Whoever waits looks again.
	wake() {
		for (const waiter of this.#waiters) {
			waiter();
		}
	}

	// ---- connections ----

	async #serve(socket) {
		const connection = ++this.connections;
		let received = Buffer.alloc(0);
		let wake = () => {};
		this.#sockets.add(socket);
		socket.setNoDelay(true);
		socket.on('error', () => {});
		socket.on('data', (bytes) => {
			received = Buffer.concat([received, bytes]);
			wake();
		});
		const gone = new Promise((resolve) => {
			socket.on('close', resolve);
			socket.on('end', resolve);
		});
		gone.then(() => {
			this.#sockets.delete(socket);
			wake();
		});
		while (!socket.destroyed && !socket.writableEnded && !socket.readableEnded) {
			const end = received.indexOf(HEAD_END);
			if (end < 0) {
				await new Promise((resolve) => { wake = resolve; });
				continue;
			}
			const request = { ...parseRequest(received.subarray(0, end).toString('latin1')), connection, sent: 0, gone };
			received = received.subarray(end + HEAD_END.length);
			await this.#answer(new Exchange(this, socket, request));
		}
		socket.end();
	}

	async #answer(exchange) {
		const { request } = exchange;
		this.requests.push(request);
		this.active++;
		this.peak = Math.max(this.peak, this.active);
		this.wake();
		try {
			const held = this.#held.get(request.path);
			await (held && Promise.race([held.opened, request.gone]));
			if (!exchange.closed) {
				await (this.#answers.get(request.path) ?? this.fallback)(exchange);
			}
		} catch (error) {
			this.broken = error; // of the script, not of the client
			exchange.reset();
		} finally {
			this.active--;
			request.ended = true;
			this.wake();
		}
	}
}

// For one test; with `t.after` it is gone with it.
export async function startOrigin(t, options) {
	const origin = new Origin(options);
	t.after(async () => {
		await origin.stop();
		if (origin.broken) {
			throw origin.broken;
		}
	});
	return origin.start();
}
