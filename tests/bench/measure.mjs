// SPDX-License-Identifier: Apache-2.0
// Samples: a server under load for a while, and who else used its processor meanwhile.

import os from 'node:os';

import { cpuNs, delay, fail, loadProgram, output, placed } from './tools.mjs';

const LONG = 3600; // seconds
const LOOK_MS = 250;
const BUSY = 0.01; // of a processor

// Where servers and clients run. Pinned, each has its own; shared, all use all.
export function places({ workers = 1, shared = false }) {
	const n = os.cpus().length;
	const pinned = !shared && n > workers;
	const all = Array.from({ length: n }, (_, i) => i);
	return { pinned, server: { cpus: pinned ? all.slice(0, workers) : null },
		client: { cpus: pinned ? [workers] : null }, serverCpus: pinned ? all.slice(0, workers) : all,
		clientCpus: pinned ? [workers] : all };
}

// requests: [{method, target, status, length}]. Gives what load prints, with what follows from it. until is
// an AbortSignal that ends it, in place of the seconds.
export async function sample(server, requests, where, { connections = 1, seconds = 2, copy = true,
	fresh = false, page = false, headers = {}, idle = 0, warm, until } = {}) {
	const words = [loadProgram, '-c', connections, '-t', until ? LONG : seconds, '-r', copy ? 'copy' : 'trunc', '-i', idle,
		'-P', server.pids.join(',')];
	words.push(...(warm === undefined ? [] : ['-w', warm]), ...(fresh ? ['-n'] : []), ...(page ? ['-p'] : []));
	words.push(...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]));
	words.push('127.0.0.1', server.port);
	words.push(...requests.flatMap(({ method, target, status, length }) => [method, target, status, length]));
	const [program, ...args] = placed(where.client, words.map(String));
	const found = JSON.parse(await output(program, args, until ? { until } : { timeout: (seconds + 60) * 1000 }));
	if (found.errors > 0) {
		fail(`${server.name}: ${found.errors} connections broke: ${found.error}`);
	}
	if (found.bytes + found.requests === 0 && !until) {
		fail(`${server.name}: nothing was answered in ${seconds} s`);
	}
	return withStrangers(found, where, requests);
}

function withStrangers(found, { pinned, serverCpus, clientCpus }, requests) {
	const busy = (cpus) => cpus.reduce((sum, cpu) => sum + found.busy_ns[cpu], 0);
	const part = (ns, cpus) => Math.max(0, ns) / (found.seconds * 1e9 * cpus.length);
	const { server_cpu_ns: server, client_cpu_ns: client } = found;
	const strangers = pinned ? Math.max(part(busy(serverCpus) - server, serverCpus),
		part(busy(clientCpus) - client, clientCpus)) : part(busy(serverCpus) - server - client, serverCpus);
	// Long answers are counted by their bytes, since few of them end within a sample.
	const length = requests.reduce((sum, request) => sum + request.length, 0);
	const units = found.bytes > 0 && length >= 1 << 20 ? found.bytes / length : found.requests;
	return { ...found, units, units_per_s: units / found.seconds, strangers,
		cpu_us: server / 1000 / units, client: client / 1e9 / found.seconds };
}

// Waits until a server has done what it does when it begins.
export async function settled(server) {
	for (let tries = 0; tries < 480; tries++) {
		const before = cpuNs(server.pids);
		await delay(LOOK_MS);
		if (cpuNs(server.pids) - before < BUSY * LOOK_MS * 1e6) {
			return;
		}
	}
	fail(`${server.name} does not come to rest within 2 minutes`);
}

// The quietest of some samples, or the first one that strangers left alone.
export async function quietSample(take, { tries, quiet }) {
	let best;
	for (let i = 0; i < tries && !(best?.strangers <= quiet); i++) {
		const one = await take();
		best = best && best.strangers <= one.strangers ? best : one;
	}
	return { ...best, quiet: best.strangers <= quiet };
}
