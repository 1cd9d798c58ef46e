// SPDX-License-Identifier: Apache-2.0
// strace on a running daemon: to see its calls, to fail one of them, or to kill the process in it.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { have, NO_FORMS, scratchDir, until, within } from './daemon.mjs';

export const noStrace = (!have('strace') && 'strace is not installed') ||
	(process.env.MODELD_WRAPPER && 'a wrapper stands between strace and the daemon');

// One thread of each kind: strace counts the calls of each thread by itself.
export const ONE_THREAD_EACH = { ...NO_FORMS, 'http.threads': 1, 'work.threads': 1, 'log.access': 'no' };

export const tasksOf = (pid) => fs.readdirSync(`/proc/${pid}/task`).map(Number).sort((a, b) => a - b);

function isTraced(pid, tid) {
	try {
		return /^TracerPid:\s+[1-9]/m.test(fs.readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8'));
	} catch {
		return true; // it has ended
	}
}

// Runs `during` while strace holds all threads of a process, or `thread` alone. Gives what that gave
// and what strace wrote. The words are what else strace is told.
export async function traced(pid, { thread, words }, during) {
	const log = path.join(scratchDir('strace'), 'log');
	const who = thread ? ['-p', String(thread)] : ['-f', '-p', String(pid)];
	const strace = spawn('strace', ['-qq', '-o', log, ...who, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
	const closed = new Promise((resolve) => { strace.on('close', resolve); });
	let result;
	try {
		await until('strace to hold every thread', () => (thread ? [thread] : tasksOf(pid)).every((tid) => isTraced(pid, tid)));
		result = await during();
	} finally {
		// One whose tracee was killed may wait for it for ever.
		strace.kill(fs.existsSync(`/proc/${pid}`) ? 'SIGINT' : 'SIGKILL');
		await within('strace to let go', closed);
	}
	const text = fs.readFileSync(log, 'utf8');
	fs.rmSync(path.dirname(log), { recursive: true, force: true });
	return { result, text };
}

// Which calls `during` makes on files of the store: [{thread, call, n}], `n` the place among all calls of
// that name that the thread makes. Threads are told by their place among those of the process. `again`
// gives what is to be traced, once for each thread.
export async function callsOf(daemon, calls, again) {
	const found = [];
	for (const index of tasksOf(daemon.pid).keys()) {
		const thread = tasksOf(daemon.pid)[index];
		const during = await again();
		const { text } = await traced(daemon.pid, { thread, words: ['-y', '-e', `trace=${calls}`] }, during);
		found.push(...placesOf(text, daemon.store).map((place) => ({ thread: index, ...place })));
	}
	return found;
}

// The same from what strace wrote with -y.
export function placesOf(text, store) {
	const counts = {};
	return [...text.matchAll(/^(?:\d+ +)?(\w+)\((.*)$/gm)].map(([, call, args]) => {
		counts[call] = (counts[call] ?? 0) + 1;
		return { call, n: counts[call], file: args.includes(store) };
	}).filter(({ file }) => file).map(({ call, n }) => ({ call, n }));
}
