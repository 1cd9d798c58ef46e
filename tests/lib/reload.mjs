// SPDX-License-Identifier: Apache-2.0
// A daemon whose configuration is a file that changes.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { scratchDir, startDaemon, until } from './daemon.mjs';

// The whole line, or what it goes on with may not be there.
const ENDED = /msg(="|":")(reloaded the configuration|the configuration was not reloaded).*\n/g;

// {'http.hosts': 'a'} as a file has it.
function fileOf(values) {
	return Object.entries(values).map(([key, value]) => {
		const [section, name] = key.split('.');
		return `[${section}]\n${name} = ${value}\n`;
	}).join('');
}

// With `values` in its file from the start; the other options are those of a Daemon.
export async function startConfigured(t, values = {}, options = {}) {
	const file = path.join(scratchDir('config'), 'modeld.conf');
	fs.writeFileSync(file, fileOf(values));
	const daemon = await startDaemon(t, { ...options, config: file });
	daemon.file = file;
	return daemon;
}

export const reloads = (daemon) => daemon.stderr.match(ENDED)?.length ?? 0;

// Put a text into the file, have it read, and wait for what came of it: its line of the log.
export async function rewritten(daemon, text) {
	const before = reloads(daemon);
	fs.writeFileSync(daemon.file, text);
	process.kill(daemon.pid, 'SIGHUP');
	await until('the end of a reload', () => reloads(daemon) > before);
	return [...daemon.stderr.matchAll(ENDED)].at(-1)[0].includes('not reloaded') ? 'kept' : 'reloaded';
}

// The same with values that are good.
export async function reloaded(daemon, values) {
	assert.equal(await rewritten(daemon, fileOf(values)), 'reloaded', daemon.stderr);
}
