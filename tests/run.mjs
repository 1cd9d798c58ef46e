// SPDX-License-Identifier: Apache-2.0
// All tests of the running daemon: MODELD=path/to/modeld node tests/run.mjs [FILE or FOLDER...]
// The variables are told in lib/daemon.mjs.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TESTS = path.dirname(fileURLToPath(import.meta.url));
const FILE_MS = 3_600_000; // of one file on a slow day, under valgrind

function testFiles(of) {
	if (!fs.statSync(of).isDirectory()) {
		return [of];
	}
	return fs.readdirSync(of).filter((name) => name.endsWith('.test.mjs')).sort()
		.map((name) => path.join(of, name));
}

function complain(message) {
	process.stderr.write(`${message}\n`);
	process.exit(2);
}

const { MODELD } = process.env;
if (!MODELD || !fs.existsSync(MODELD)) {
	complain(`MODELD must be the path of the daemon under test; it is ${MODELD ?? 'not set'}`);
}
if (!fs.existsSync(path.join(TESTS, 'node_modules'))) {
	complain(`first: npm ci --ignore-scripts --prefix ${path.relative('.', TESTS) || '.'}`);
}

const asked = process.argv.slice(2);
const files = (asked.length > 0 ? asked : ['http', 'tfjs'].map((name) => path.join(TESTS, name)))
	.flatMap(testFiles);
// One file after the other: some of them measure, and two processors are all there may be.
const env = { ...process.env, MODELD: path.resolve(MODELD) };
if (process.env.MODELD_PLAIN) {
	env.MODELD_PLAIN = path.resolve(process.env.MODELD_PLAIN);
}
const failed = files.filter((file) => spawnSync(process.execPath,
	['--test', '--test-reporter=spec', file], { stdio: 'inherit', env, timeout: FILE_MS }).status !== 0);
if (failed.length > 0) {
	process.stderr.write(`failed: ${failed.map((file) => path.relative('.', file)).join(' ')}\n`);
	process.exit(1);
}
