// SPDX-License-Identifier: Apache-2.0
// Imports, as a client asks for them and watches them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

import { Daemon, listFiles, NO_FORMS, until, within } from './daemon.mjs';
import { get, request } from './http.mjs';
import { judge } from './openapi.mjs';

// Options of a daemon that may fetch from the origins of tests, and does not take long about failures.
export const FROM_HERE = { ...NO_FORMS, 'import.allow': '127.0.0.1', 'import.attempts': 3 };

const ENDED = ['done', 'failed', 'cancelled'];

export const importOf = (daemon, model, body, headers = {}) =>
	request(daemon, 'POST', `/v1/models/${model}:import`, { headers: { 'content-type': 'application/json', ...headers },
		body: JSON.stringify(typeof body === 'string' ? { url: body } : body) });

// The job of an import that is taken.
export async function submit(daemon, model, body) {
	const answered = await importOf(daemon, model, body);
	assert.equal(answered.status, 202, answered.text);
	assert.equal(answered.headers.location, `/v1/jobs/${answered.json.id}`);
	return answered.json;
}

export async function look(daemon, { id }) {
	const answered = await get(daemon, `/v1/jobs/${id}`);
	assert.equal(answered.status, 200, answered.text);
	return answered.json;
}

export const cancel = (daemon, { id }) => request(daemon, 'DELETE', `/v1/jobs/${id}`);

// The job once `ready(job)`.
export async function when(daemon, job, what, ready) {
	let last;
	try {
		return await until(what, async () => {
			last = await look(daemon, job);
			return ready(last) && last;
		});
	} catch (error) {
		throw new Error(`${error.message}: ${JSON.stringify(last)}`);
	}
}

export const ended = (daemon, job) => when(daemon, job, 'the import to end', ({ state }) => ENDED.includes(state));

export async function imported(daemon, model, body) {
	const job = await ended(daemon, await submit(daemon, model, body));
	assert.equal(job.state, 'done', JSON.stringify(job));
	return job;
}

// The error of an import that fails, at once or later: {code, detail, ...}.
export async function refused(daemon, model, body) {
	const answered = await importOf(daemon, model, body);
	if (answered.status !== 202) {
		assert.ok(answered.status >= 400, answered.text);
		return answered.json;
	}
	const job = await ended(daemon, answered.json);
	assert.equal(job.state, 'failed', JSON.stringify(job));
	return { ...job.error, job };
}

// That a version has these files and no others, byte for byte.
export async function assertHolds(daemon, model, version, files) {
	const { json } = await get(daemon, `/v1/models/${model}/versions/${version}`);
	assert.deepEqual(json.files?.map(({ path: name }) => name).sort(), files.map(({ path: name }) => name).sort());
	for (const { path: name, bytes } of files) {
		const answered = await get(daemon, `/models/${model}@${version}/${name}`);
		assert.equal(answered.status, 200, name);
		assert.ok(answered.body.equals(Buffer.from(bytes)), `${name} has other bytes`);
	}
}

export async function versionsOf(daemon, model) {
	const { status, json } = await get(daemon, `/v1/models/${model}`);
	return status === 200 ? json.versions.map(({ version }) => version) : [];
}

// ---- the stream of a job ----

// Lines of ndjson, as they come: `next()` gives one, or null at the end; `leave()` hangs up.
export class Stream {
	#text = '';
	#lines = [];
	#wake = () => {};

	// With `ca`, of {port, ca}, over TLS.
	open(daemon, model, body, headers = {}) {
		return this.#begin(daemon, 'POST', `/v1/models/${model}:import`, { 'content-type': 'application/json', ...headers },
			JSON.stringify(body));
	}

	follow(daemon, { id }, headers = {}) {
		return this.#begin(daemon, 'GET', `/v1/jobs/${id}`, headers);
	}

	async #begin(daemon, method, target, headers, body) {
		const { port, ca } = daemon;
		this.asked = daemon instanceof Daemon && { method, target }; // what a proxy says is its own affair
		const options = { host: '127.0.0.1', port, ca, path: target, method, agent: false,
			headers: { accept: 'application/x-ndjson', ...headers } };
		this.response = await within('the stream of a job', new Promise((resolve, reject) => {
			this.call = (ca ? https : http).request(options, resolve);
			this.call.on('error', (error) => (this.response ? this.#end() : reject(error)));
			this.call.end(body);
		}));
		this.response.setEncoding('utf8');
		this.response.on('data', (piece) => this.#take(piece));
		this.response.on('end', () => this.#end());
		this.response.on('error', () => this.#end());
		return this;
	}

	#take(piece) {
		const lines = (this.#text + piece).split('\n');
		this.#text = lines.pop();
		const { statusCode: status, headers } = this.response;
		if (this.asked) {
			judge({ ...this.asked, status, headers, body: Buffer.from(lines.join('\n')) });
		}
		this.#lines.push(...lines.map((line) => JSON.parse(line)));
		this.#wake();
	}

	#end() {
		this.over = true;
		this.#wake();
	}

	async next() {
		await within('a line of the stream', (async () => {
			while (this.#lines.length === 0 && !this.over) {
				await new Promise((resolve) => { this.#wake = resolve; });
			}
		})());
		return this.#lines.shift() ?? null;
	}

	async rest() {
		const lines = [];
		for (let line = await this.next(); line; line = await this.next()) {
			lines.push(line);
		}
		return lines;
	}

	leave() {
		this.call.destroy();
	}
}

// ---- what must not be kept ----

// Files below a folder that hold a text.
export function filesWith(dir, text) {
	return listFiles(dir).filter((file) => {
		try {
			return fs.readFileSync(file).includes(text);
		} catch (error) {
			if (error.code === 'ENOENT') {
				return false; // it was on its way out
			}
			throw error;
		}
	}).map((file) => path.relative(dir, file));
}
