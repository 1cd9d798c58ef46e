// SPDX-License-Identifier: Apache-2.0
// A real modeld for a test: started on a free port with a directory of its own, stopped with SIGTERM,
// and only content when it exits with 0.
//
//   npm ci --ignore-scripts --prefix tests
//   MODELD=$PWD/build/dev/modeld node tests/run.mjs [FILE...]
//
//   MODELD          the daemon under test
//   MODELD_WRAPPER  words put in front of it: "valgrind --error-exitcode=99 --leak-check=full"
//   MODELD_PLAIN    a build without sanitizers, for the tests that measure memory
//   CHROMIUM        the browser, /usr/bin/chromium when it is not set
//   SUITE_PIDS      where a wrapper whose daemon is no child of it leaves its process id: see tests/systemd
//   TEST_VERBOSE    any value: what the daemons print is shown

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before } from 'node:test';

import { judgeFetch } from './openapi.mjs';

const DEADLINE_MS = process.env.MODELD_WRAPPER ? 300_000 : 120_000; // of a start, a stop, and whatever else should take a moment
const POLL_MS = 10;
const SHUTDOWN_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const running = new Set(); // of Daemon
const scratchDirs = new Set();

judgeFetch((origin) => [...running].some((daemon) => daemon.origin === origin));

function removeScratch() {
	for (const dir of scratchDirs) {
		fs.rmSync(dir, { recursive: true, force: true });
	}
	scratchDirs.clear();
}

process.on('exit', () => {
	for (const daemon of running) {
		daemon.signal('SIGKILL');
	}
	removeScratch();
});
for (const signal of SHUTDOWN_SIGNALS) {
	process.once(signal, () => process.exit(1));
}

// An empty directory that is gone when the process ends.
export function scratchDir(label = 'test') {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), `modeld-${label}-`));
	scratchDirs.add(dir);
	return dir;
}

// Wait until `probe()` gives something true, and give that. The deadline is a verdict, never a pace.
export async function until(what, probe, deadlineMs = DEADLINE_MS) {
	const end = Date.now() + deadlineMs;
	for (;;) {
		const found = await probe();
		if (found) {
			return found;
		}
		if (Date.now() > end) {
			throw new Error(`not within ${deadlineMs} ms: ${what}`);
		}
		await delay(POLL_MS);
	}
}

// Fails with `what` when the promise takes longer than the deadline.
export async function within(what, promise, deadlineMs = DEADLINE_MS) {
	const timer = new AbortController();
	const late = delay(deadlineMs, undefined, { signal: timer.signal }).then(() => {
		throw new Error(`not within ${deadlineMs} ms: ${what}`);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		timer.abort();
		late.catch(() => {});
	}
}

export function have(program) {
	return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

// Words before the daemon that take from root what a service has not: to open what its mode forbids.
export const asService = process.getuid() === 0 && have('setpriv')
	? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];

// The daemon refuses MODELD_ variables it does not know, and ours are not for it.
export function daemonEnv(extra = {}) {
	const env = { ...process.env, ...extra };
	for (const key of Object.keys(env)) {
		if (key.startsWith('MODELD') && !(key in extra)) {
			delete env[key];
		}
	}
	return env;
}

function commandLine(binary, wrapper, args) {
	assert.ok(binary, 'set MODELD to the path of the daemon under test');
	return [...wrapper, path.resolve(binary), ...args];
}

function wrapperWords() {
	return (process.env.MODELD_WRAPPER ?? '').split(' ').filter(Boolean);
}

// Run modeld to its end: for starts that must fail, and for subcommands.
export async function runModeld(args, { env = {}, deadlineMs = DEADLINE_MS, killAfterMs } = {}) {
	const words = commandLine(process.env.MODELD, wrapperWords(), args);
	const child = spawn(words[0], words.slice(1), { env: daemonEnv(env) });
	let stdout = '';
	let stderr = '';
	child.stdout.on('data', (bytes) => (stdout += bytes));
	child.stderr.on('data', (bytes) => (stderr += bytes));
	const closed = new Promise((resolve, reject) => {
		child.on('close', (code, signal) => resolve({ code, signal }));
		child.on('error', reject);
	});
	const killer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
	try {
		const end = await within(`the end of modeld ${args.join(' ')}`, closed, deadlineMs);
		return { ...end, stdout, stderr };
	} finally {
		clearTimeout(killer);
		child.kill('SIGKILL');
	}
}

export class Daemon {
	// `ca` is what clients trust, of one that listens on "tls:...".
	// `config` is a file of the configuration.
	constructor({ store, set = {}, listen = '127.0.0.1:0', env = {}, binary, wrapper, ca, config } = {}) {
		this.ca = ca;
		this.dir = scratchDir('daemon');
		this.store = store ?? path.join(this.dir, 'store');
		this.portFile = path.join(this.dir, 'port');
		this.stderr = '';
		this.stdout = '';
		const options = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
		const args = ['serve', '--listen', listen, '--store', this.store, '--port-file',
			this.portFile, ...(config ? ['--config', config] : []), ...options];
		this.words = commandLine(binary ?? process.env.MODELD, wrapper ?? wrapperWords(), args);
		this.env = daemonEnv(env);
	}

	async start() {
		this.child = spawn(this.words[0], this.words.slice(1), {
			env: this.env,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		running.add(this);
		this.child.stdout.on('data', (bytes) => this.#collect('stdout', bytes));
		this.child.stderr.on('data', (bytes) => this.#collect('stderr', bytes));
		this.closed = new Promise((resolve, reject) => {
			this.child.on('error', reject);
			this.child.on('close', (code, signal) => {
				this.end = { code, signal };
				running.delete(this);
				resolve(this.end);
			});
		});
		this.port = await until('a port file', () => this.#readPort());
		this.origin = `${this.ca ? 'https' : 'http'}://127.0.0.1:${this.port}`;
		return this;
	}

	#collect(stream, bytes) {
		this[stream] += bytes;
		if (process.env.TEST_VERBOSE) {
			process.stderr.write(bytes);
		}
	}

	#readPort() {
		if (this.end) {
			throw new Error(`modeld ended with ${JSON.stringify(this.end)}:\n${this.stderr}`);
		}
		try {
			return Number(fs.readFileSync(this.portFile, 'utf8'));
		} catch (error) {
			if (error.code === 'ENOENT') {
				return 0;
			}
			throw error;
		}
	}

	url(target) {
		return this.origin + target;
	}

	// The process that serves: a wrapper may stand before it, or have had it started by systemd.
	get pid() {
		const elsewhere = this.#pidElsewhere();
		if (elsewhere) {
			return elsewhere;
		}
		const own = path.basename(this.words.find((word) => /modeld$/.test(word)) ?? '');
		const line = (pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0];
		const children = (pid) =>
			fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
		const child = children(this.child.pid).find((pid) => path.basename(line(pid)) === own);
		return child ? Number(child) : this.child.pid;
	}

	signal(name) {
		if (this.child?.pid && !this.end) {
			this.child.kill(name);
			this.told ||= name === 'SIGTERM';
		}
	}

	#pidElsewhere() {
		const file = process.env.SUITE_PIDS && path.join(process.env.SUITE_PIDS, String(this.child.pid));
		return file && fs.existsSync(file) && Number(fs.readFileSync(file, 'utf8'));
	}

	// SIGTERM, unless it has been sent: a second one cuts what is under way. And the verdict over its whole
	// life: exit code 0.
	async stop() {
		if (!this.told) {
			this.signal('SIGTERM');
		}
		const end = await within('the daemon to stop', this.closed).catch((error) => {
			throw new Error(`${error.message}; its threads:\n${this.#doing()}\n${this.stderr}`);
		});
		assert.deepEqual(end, { code: 0, signal: null }, `modeld did not end well:\n${this.stderr}`);
	}

	// What its threads are at, as far as the system says: name, state, place in the kernel, system call.
	#doing() {
		try {
			const { pid } = this;
			return fs.readdirSync(`/proc/${pid}/task`).map((task) => {
				const read = (name) => fs.readFileSync(`/proc/${pid}/task/${task}/${name}`, 'utf8').trim();
				return [task, read('comm'), read('stat').replace(/^.*\) (.).*$/, '$1'), read('wchan'), read('syscall')].join(' ');
			}).join('\n');
		} catch (error) {
			return error.message; // as when it ends meanwhile
		}
	}

	// As a power cut would, but for the page cache.
	async kill() {
		process.kill(this.pid, 'SIGKILL');
		await within('the daemon to be gone', this.closed);
	}

	async destroy() {
		this.signal('SIGKILL');
		await this.closed?.catch(() => {});
		scratchDirs.delete(this.dir);
		fs.rmSync(this.dir, { recursive: true, force: true });
	}

	// Whether SIGSTOP has reached all its threads.
	get stopped() {
		const tasks = `/proc/${this.pid}/task`;
		return fs.readdirSync(tasks).every((task) =>
			/^State:\s+[Tt]/m.test(fs.readFileSync(`${tasks}/${task}/status`, 'utf8')));
	}

	// How many descriptors it has.
	descriptors() {
		return fs.readdirSync(`/proc/${this.pid}/fd`).length;
	}

	// Processor time of all its threads since it began (proc(5), in 1/100 s).
	processorMs() {
		const fields = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
		return 10 * (Number(fields[11]) + Number(fields[12]));
	}

	// A line of /proc/PID/status, in KiB.
	memoryKiB(field) {
		const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
		return Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm'))[1]);
	}

	// Paths of regular files under a directory of the store.
	files(under) {
		return listFiles(path.join(this.store, under));
	}
}

export function listFiles(dir) {
	let entries;
	try {
		entries = fs.readdirSync(dir, { withFileTypes: true });
	} catch (error) {
		if (error.code === 'ENOENT') {
			return [];
		}
		throw error;
	}
	return entries.flatMap((entry) => {
		const full = path.join(dir, entry.name);
		return entry.isDirectory() ? listFiles(full) : [full];
	});
}

// For tests that count files, or damage them: options with which the daemon makes none of its own accord,
// and reads none for it.
export const NO_FORMS = { 'store.precompress_rate': '0' };

// For one test: killed when the test is over, if it did not stop it.
export async function startDaemon(t, options) {
	const daemon = new Daemon(options);
	t.after(() => daemon.destroy());
	return daemon.start();
}

// For a describe(): one daemon for all its tests, which must end with 0 when they are done.
export function useDaemon(options = {}) {
	const daemon = new Daemon(options);
	before(() => daemon.start());
	after(async () => {
		try {
			await daemon.stop();
		} finally {
			await daemon.destroy();
		}
	});
	return daemon;
}
