// SPDX-License-Identifier: Apache-2.0
// What the benches share: words of the command line, processes, files, figures.

import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export { freePort } from '../lib/ports.mjs';
export { delay };
export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const work = path.join(top, 'build/bench');
export const loadProgram = path.join(top, 'build/dev/tests/bench/load');
export const modeldProgram = process.env.MODELD ?? path.join(top, 'build/dev/modeld');
const exec = promisify(execFile);

export class Failure extends Error {}

export function fail(text) {
	throw new Failure(text);
}

// ---- what samples leave behind ----

const retired = path.join(work, `retired-${process.pid}`);
let retiredN = 0;

function empty(dir) {
	for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
		const full = path.join(dir, entry.name);
		if (entry.isDirectory()) {
			empty(full);
		} else if (entry.isFile()) {
			fs.chmodSync(full, 0o600);
			fs.truncateSync(full);
		}
	}
}

// Out of the way: blocks and pages are free again, inodes only when the bench ends. ext4 does not reuse an inode
// for minutes after its removal, and looks at each that was freed for every one that it makes, so that a sample
// would pay for what earlier ones have left.
export function retire(dir) {
	if (fs.existsSync(dir)) {
		empty(dir);
		fs.mkdirSync(retired, { recursive: true });
		fs.renameSync(dir, path.join(retired, String(retiredN++)));
	}
}

// Runs a bench, and all that it starts, with that priority; whatever happens, what it started is stopped.
export async function main(bench, { nice }) {
	let before;
	let ended = false;
	const end = async () => {
		ended = true;
		await stopAll();
		if (before !== undefined) {
			setPriority(before);
		}
	};
	for (const signal of ['SIGINT', 'SIGTERM']) {
		process.once(signal, () => end().then(() => process.exit(1)));
	}
	try {
		before = nice === 0 ? undefined : setPriority(nice);
		await bench();
	} catch (error) {
		if (!ended) {
			console.error(error instanceof Failure ? `bench: ${error.message}` : error);
		}
		process.exitCode = 1;
	} finally {
		await end();
		fs.rmSync(retired, { recursive: true, force: true });
	}
}

// Where the kernel weighs sessions against each other, that of a process counts in its own session alone,
// and the session has one too. Gives what the session had.
function setPriority(nice) {
	const session = '/proc/self/autogroup';
	try {
		os.setPriority(nice);
		const before = /nice (-?\d+)/.exec(fs.readFileSync(session, 'utf8'));
		fs.writeFileSync(session, String(nice));
		return Number(before?.[1] ?? 0);
	} catch (error) {
		return error.code === 'ENOENT' ? 0 : fail(`the priority cannot be ${nice}: ${error.message}`);
	}
}

// { rounds: 5, shared: false } of "--rounds 5 --shared"; the defaults say what kind each is. Words for
// other benches are passed over.
export function options(defaults) {
	const found = { ...defaults };
	const words = process.argv.slice(2);
	for (let i = 0; i < words.length; i++) {
		const name = words[i].replace(/^--/, '');
		const kind = typeof defaults[name];
		if (kind === 'boolean') {
			found[name] = true;
		} else if (kind === 'number') {
			found[name] = Number(words[++i]);
			if (!Number.isFinite(found[name])) {
				fail(`--${name} needs a number`);
			}
		} else if (kind === 'string') {
			found[name] = words[++i] ?? fail(`--${name} needs a word`);
		}
	}
	return found;
}

export function globMatches(glob, text) {
	const pattern = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
	return new RegExp(`^(?:${pattern.replaceAll(',', '|')})$`).test(text);
}

// ---- processes ----

const running = new Set();

// What a command prints. until is an AbortSignal that has it sent SIGTERM, which it may answer by ending
// well.
export async function output(program, args, { until, ...settings } = {}) {
	try {
		const promise = exec(program, args, { maxBuffer: 1 << 26, ...settings });
		until?.addEventListener('abort', () => promise.child.kill('SIGTERM'));
		return (await promise).stdout;
	} catch (error) {
		return fail(`${program} ... ${args.at(-1)}: ${error.stderr || error.message} ${error.stdout ?? ''}`.trim());
	}
}

// The words that put a command on some processors.
export const placed = ({ cpus }, words) => (cpus ? ['taskset', '-c', cpus.join(','), ...words] : words);

// Starts a server whose messages go to a file.
export function start(words, { log, env = {}, cwd = work }) {
	const file = fs.openSync(log, 'w');
	const child = spawn(words[0], words.slice(1), { cwd, env: { ...process.env, ...env },
		stdio: ['ignore', file, file] });
	fs.closeSync(file);
	running.add(child);
	child.closed = new Promise((resolve) => {
		child.on('error', resolve);
		child.on('close', resolve);
	});
	child.closed.then(() => running.delete(child));
	return child;
}

export async function stop(child) {
	child.kill('SIGTERM');
	const late = setTimeout(() => child.kill('SIGKILL'), 10000);
	await child.closed;
	clearTimeout(late);
}

async function stopAll() {
	await Promise.all([...running].map(stop));
}

// A process and all that come from it.
export function family(pid) {
	const tasks = fs.readdirSync(`/proc/${pid}/task`);
	const children = tasks.flatMap((task) =>
		fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
	return [pid, ...children.flatMap((child) => family(Number(child)))];
}

// A line of /proc/PID/status in KiB, over several processes.
export function statusKiB(pids, field) {
	return pids.reduce((sum, pid) => sum + Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8')
		.match(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm'))[1]), 0);
}

// Nanoseconds of processor time of all their threads that live.
export function cpuNs(pids) {
	return pids.reduce((sum, pid) => sum + fs.readdirSync(`/proc/${pid}/task`).reduce((own, task) =>
		own + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0), 0);
}

// Nanoseconds that some processors have worked so far, for whomever.
export function busyNs(cpus) {
	const lines = fs.readFileSync('/proc/stat', 'utf8').split('\n');
	return cpus.reduce((sum, cpu) => {
		const [user, nice, system, , , irq, softirq, steal] = lines.find((line) => line.startsWith(`cpu${cpu} `))
			.split(' ').slice(1).map(Number);
		return sum + (user + nice + system + irq + softirq + steal) * 1e7;
	}, 0);
}

// ---- HTTP ----

// One request on a connection of its own: {status, headers, headBytes, fields, bytes, sha256}.
export function ask(port, target, { method = 'GET', headers = {}, body, keep = false } = {}) {
	return new Promise((resolve, reject) => {
		const settings = { host: '127.0.0.1', port, path: target, method, headers, agent: false };
		const call = http.request(settings, (response) => {
			const hash = crypto.createHash('sha256');
			const chunks = [];
			let bytes = 0;
			response.on('data', (chunk) => {
				hash.update(chunk);
				bytes += chunk.length;
				if (keep) {
					chunks.push(chunk);
				}
			});
			response.on('error', reject);
			response.on('end', () => resolve({ status: response.statusCode, headers: response.headers,
				headBytes: headBytes(response), fields: response.rawHeaders.length / 2, bytes,
				sha256: hash.digest('hex'), body: Buffer.concat(chunks) }));
		});
		call.on('error', reject);
		call.end(body);
	});
}

function headBytes({ httpVersion, statusCode, statusMessage, rawHeaders }) {
	const line = `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`.length;
	// Each name with ": " after it, each value with CR LF; and the empty line.
	return line + rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text, 'latin1') + 2, 0) + 2;
}

export async function answers(port, target, child, log) {
	for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
		try {
			await ask(port, target);
			return;
		} catch {
			await delay(50);
		}
	}
	fail(`${child.spawnargs.join(' ')} does not answer: ${fs.readFileSync(log, 'utf8').slice(-2000)}`);
}

// ---- figures ----

export function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, part) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

// The median of the ratios of neighbours, which a slow minute touches alike.
export const ratio = (a, b) => median(a.map((value, i) => value / b[i]));

export const geometricMean = (values) =>
	Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

export function machine() {
	return { date: new Date().toISOString(), cpu: os.cpus()[0].model, processors: os.cpus().length,
		memory_bytes: os.totalmem(), kernel: `${os.type()} ${os.release()}`, node: process.version };
}

export function writeResult(name, result) {
	const file = path.join(work, `${name}.json`);
	fs.writeFileSync(`${file}.new`, `${JSON.stringify(result, null, 1)}\n`);
	fs.renameSync(`${file}.new`, file);
	return path.relative(top, file);
}
