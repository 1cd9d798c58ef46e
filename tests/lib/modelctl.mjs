// SPDX-License-Identifier: Apache-2.0
// The command-line client, run for real, in a home of its own.
//
//   MODELCTL  the program under test; beside $MODELD when it is not set

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { scratchDir, within } from './daemon.mjs';

export const DIFFERS = 1;
export const USAGE = 2;
export const INVALID = 3;
export const FORBIDDEN = 4;
export const NETWORK = 5;
export const SERVER = 6;

export const program = () =>
	path.resolve(process.env.MODELCTL ?? path.join(path.dirname(process.env.MODELD), 'modelctl'));

const home = scratchDir('home');

// What a test says, and nothing else of the machine's.
export function clientEnv(daemon, extra = {}) {
	const { PATH, TMPDIR, ASAN_OPTIONS, UBSAN_OPTIONS, LSAN_OPTIONS } = process.env;
	const env = { PATH, TMPDIR, ASAN_OPTIONS, UBSAN_OPTIONS, LSAN_OPTIONS, HOME: home, LC_ALL: 'C',
		...(daemon && { MODELCTL_SERVER: daemon.origin }), ...extra };
	return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

// Started (or `instead` another program, in the same surroundings), with `closed`, a promise of {code, signal, stdout, stderr, json}.
export function startModelctl(daemon, args, { env = {}, cwd, input, binary, instead } = {}) {
	const words = [instead ?? binary ?? program(), ...args];
	const child = spawn(words[0], words.slice(1), {
		env: clientEnv(daemon, env), cwd: cwd ?? home, stdio: ['pipe', 'pipe', 'pipe'],
	});
	let stdout = '';
	let stderr = '';
	child.stdin.on('error', () => {});
	child.stdin.end(input ?? '');
	child.stdout.on('data', (bytes) => (stdout += bytes));
	child.stderr.on('data', (bytes) => (stderr += bytes));
	child.closed = new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr,
			get json() {
				return JSON.parse(stdout);
			},
		}));
	});
	return child;
}

export async function modelctl(daemon, args, options) {
	const child = startModelctl(daemon, args, options);
	try {
		return await within(`modelctl ${args.join(' ')}`, child.closed);
	} finally {
		child.kill('SIGKILL');
	}
}

// The files of a model (models.mjs) in a folder of their own.
export function folderOf(model, label = 'model') {
	const dir = scratchDir(label);
	for (const { path: name, bytes } of model.files) {
		fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
		fs.writeFileSync(path.join(dir, name), bytes);
	}
	return dir;
}
