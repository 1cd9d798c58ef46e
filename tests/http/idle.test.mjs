// SPDX-License-Identifier: Apache-2.0
// Connections that rest between requests (RFC 9112 9.3) cost little memory and nobody's answer.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';

import { NO_FORMS, have, startDaemon, until } from '../lib/daemon.mjs';
import { Wire, get, publish, published, requestHead } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const IDLE = 10000;
const AT_ONCE = 500; // of them are opened
const DESCRIPTORS = IDLE + 500; // of either side
const ALLOWED_KIB = 200 * 1024;

const plain = process.env.MODELD_PLAIN;

// Node has raised its own limit as far as it may, and the daemon inherits that.
function openFiles() {
	const [, limit] = /^Max open files\s+(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'));
	return limit === 'unlimited' ? Infinity : Number(limit);
}

const skip = (!plain && 'MODELD_PLAIN names no build without sanitizers') ||
	(openFiles() < DESCRIPTORS && `a process may open ${openFiles()} files here, not ${DESCRIPTORS}`);

describe('a client that asks again at once', () => {
	const ASKED = 400; // so that its loop looks for the next request before it sleeps
	const REST_MS = 4000;

	test('leaves a loop that sleeps when it asks no more', async (t) => {
		const daemon = await startDaemon(t, { set: { ...NO_FORMS, 'http.threads': 1, 'http.timeout': '10min' } });
		const wire = new Wire(daemon.port);
		for (let i = 0; i < ASKED; i++) {
			await wire.send(requestHead('GET', '/healthz', {}));
			assert.equal((await wire.answer())?.status, 200);
		}
		const before = daemon.processorMs();
		await new Promise((resolve) => { setTimeout(resolve, REST_MS); });
		const used = daemon.processorMs() - before;
		assert.ok(used < REST_MS / 2, `${used} ms of processor time in ${REST_MS} ms`);
		wire.destroy();
		await daemon.stop();
	});
});

describe('connections beyond what the system lets us open', { skip: !have('prlimit') && 'there is no prlimit' }, () => {
	const FILES = 120;

	test('leave descriptors for files', async (t) => {
		const daemon = await startDaemon(t, { wrapper: ['prlimit', `--nofile=${FILES}:${FILES}`], set: { 'http.timeout': '10min' } });
		await until('the warning', () => / level=warning .* asked=4096 connections=90/.test(daemon.stderr));
		await published(daemon, 'model', denseModel());
		const wires = Array.from({ length: 2 * FILES }, () => new Wire(daemon.port));
		t.after(() => wires.forEach((wire) => wire.destroy()));
		await until('all places to be taken', () => daemon.descriptors() > FILES / 2);
		for (let round = 0; round < 5; round++) {
			const answered = await publish(daemon, `model${round}`, denseModel({ seed: 50 + round, shardBytes: 64 }));
			assert.equal(answered.status, 201, answered.text);
			assert.equal((await get(daemon, `/models/model${round}@1/model.json`)).status, 200);
		}
		wires.forEach((wire) => wire.destroy());
		await daemon.stop();
	});
});

describe(`${IDLE} connections that rest`, { skip }, () => {
	test('take less than 200 MiB, stay open, and leave the others their answers', async (t) => {
		// Each loop has its part of the places, and the system deals connections out by chance.
		const daemon = await startDaemon(t, { binary: plain, wrapper: [], set: {
			'http.connections': 2 * IDLE, 'http.connections_per_address': 0, 'http.timeout': '10min' } });
		await published(daemon, 'model', denseModel());
		const ask = requestHead('GET', '/models/model@1/model.json', {});
		const wires = [];
		t.after(() => wires.forEach((wire) => wire.destroy()));
		while (wires.length < IDLE) {
			const more = Array.from({ length: AT_ONCE }, () => new Wire(daemon.port));
			wires.push(...more);
			const answers = await Promise.all(more.map(async (wire) => {
				await wire.send(ask);
				return wire.answer();
			}));
			assert.ok(answers.every((answered) => answered?.status === 200));
		}
		const used = daemon.memoryKiB('VmRSS');
		assert.ok(used < ALLOWED_KIB, `${used} KiB are resident`);
		assert.equal((await get(daemon, '/models/model@1/model.json')).status, 200);

		assert.ok(wires.every((wire) => !wire.closed), 'none was closed');
		for (const wire of [wires[0], wires[IDLE / 2], wires[IDLE - 1]]) {
			await wire.send(ask);
			assert.equal((await wire.answer())?.status, 200);
		}
		wires.forEach((wire) => wire.destroy());
		await daemon.stop();
	});
});
