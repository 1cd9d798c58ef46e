// SPDX-License-Identifier: Apache-2.0
// modelctl at a terminal, which script(1) of util-linux gives it: progress that is written over and fits the
// window, colors, and the question that login asks.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { have, scratchDir, until, useDaemon, within } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { clientEnv, folderOf, modelctl, program } from '../lib/modelctl.mjs';
import { assemble, cut, denseModel, floatWeight, random, utf8, withFile } from '../lib/models.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { noStrace } from '../lib/strace.mjs';

const MIB = 1 << 20;
const quoted = (words) => words.map((word) => `'${word}'`).join(' ');

// In a terminal: {stdin, output, closed}. -e hands on the exit status.
function startAtTerminal(t, script, daemon, env = {}) {
	const child = spawn('script', ['-qec', script, '/dev/null'], { env: clientEnv(daemon, { TERM: 'xterm', ...env }), stdio: ['pipe', 'pipe', 'inherit'] });
	t.after(() => child.kill('SIGKILL'));
	const terminal = { child, stdin: child.stdin, output: '' };
	child.stdin.on('error', () => {});
	child.stdout.on('data', (bytes) => (terminal.output += bytes));
	terminal.closed = new Promise((resolve) => child.on('close', (code) => resolve({ code, output: terminal.output })));
	return terminal;
}

async function atTerminal(t, words, daemon, { env, before = '' } = {}) {
	return within(`modelctl ${words.join(' ')}`, startAtTerminal(t, `${before} ${quoted([program(), ...words])}`, daemon, env).closed);
}

function large(seed, bytes) {
	const next = random(seed); // which no coding makes smaller
	const values = new Float32Array(bytes / 4).map(() => next());
	const weight = floatWeight('w', [values.length], values);
	return assemble({}, [weight], cut(weight.bytes, bytes));
}

const framesOf = (output, doing) => output.match(new RegExp(`\\r\\u001b\\[K${doing} [^\\r\\n]*`, 'g')) ?? [];
const width = (frame) => frame.replace('\r\u001b[K', '').length;
const slowly = (ms) => ({ pace: () => new Promise((resolve) => setTimeout(resolve, ms)) });

describe('at a terminal', { skip: !have('script') && 'no script(1)' }, () => {
	const daemon = useDaemon();

	test('pull, push and doctor write one line over, with share, bytes, rate and time left', async (t) => {
		const proxy = await startProxy(t, daemon, slowly(8));
		const line = (doing) => new RegExp(`^\\r\\u001b\\[K${doing} +\\d+%  \\d+\\.\\d MiB of 8\\.0 MiB  \\d+\\.\\d [KM]iB/s  \\d+:\\d\\d left$`);
		const dir = path.join(scratchDir('pull'), 'd');
		for (const [doing, words] of [['sending', ['push', folderOf(large(1, 8 * MIB)), 'm']], ['receiving', ['pull', 'm', '-o', dir]],
			['reading', ['doctor', `${proxy.origin}/models/m@1/model.json`]]]) {
			const done = await atTerminal(t, words, proxy, { before: 'stty cols 120;' });
			assert.equal(done.code, 0, done.output);
			const frames = framesOf(done.output, doing);
			assert.ok(frames.some((frame) => line(doing).test(frame)), `${doing}: ${JSON.stringify(frames)}`);
			// A new line is begun when it is over, and not before.
			assert.equal(done.output.split(new RegExp(`${doing} [^\\n]*\\n`)).length, 2, done.output);
		}
	});

	test('the line fits the window, also when that is made narrower meanwhile', async (t) => {
		const flag = path.join(scratchDir('flag'), 'now');
		const proxy = await startProxy(t, daemon, { pace: async (side) => {
			await new Promise((resolve) => setTimeout(resolve, 8));
			if (side === 'up' && proxy.up > 4 * MIB && !fs.existsSync(`${flag}.done`)) {
				fs.writeFileSync(flag, '');
				await until('the window to be narrow', () => fs.existsSync(`${flag}.done`));
			}
		} });
		// The window of the terminal, from beside the program.
		const narrow = `{ until [ -e '${flag}' ]; do sleep 0.02; done; stty cols 30 </dev/tty; echo narrow >'${flag}.done'; } &`;
		const done = await atTerminal(t, ['push', folderOf(large(2, 16 * MIB)), 'window'], proxy, { before: `stty cols 60; ${narrow}` });
		assert.equal(done.code, 0, done.output);
		const frames = framesOf(done.output, 'sending');
		assert.ok(frames.every((frame) => width(frame) < 60), JSON.stringify(frames));
		assert.ok(width(frames[0]) <= 59 && frames.some((frame) => width(frame) > 30), JSON.stringify(frames));
		assert.ok(width(frames.at(-1)) < 30, JSON.stringify(frames));
		assert.match(frames.at(-1), /sending 100%/);
	});

	test('findings have colors, unless NO_COLOR, TERM or --color say otherwise', async (t) => {
		const model = denseModel({ inputs: 16, shardBytes: 40 });
		const dir = folderOf(withFile(model, model.files.at(-1).path, utf8('x')));
		const colored = /\u001b\[31merror\u001b\[0m/; // eslint-disable-line no-control-regex
		const lint = async (words, env) => (await atTerminal(t, ['lint', dir, ...words], daemon, { env })).output;
		assert.match(await lint([], {}), colored);
		assert.match(await lint([], { NO_COLOR: '' }), colored);
		assert.match(await lint(['--color', 'always'], { NO_COLOR: '1' }), colored);
		for (const [words, env] of [[[], { NO_COLOR: '1' }], [[], { TERM: 'dumb' }], [['--color=never'], {}]]) {
			assert.doesNotMatch(await lint(words, env), colored);
		}
		const done = await modelctl(daemon, ['lint', dir, '--color', 'always']);
		assert.match(done.stdout, colored);
	});

	test('login asks for the token, does not show it, and gives the terminal back', async (t) => {
		const XDG_CONFIG_HOME = scratchDir('config');
		const terminal = startAtTerminal(t, `${quoted([program(), 'login', daemon.origin])}; stty -a`, daemon, { XDG_CONFIG_HOME });
		await until('the question', () => terminal.output.includes('Token (nothing for none): '));
		terminal.stdin.write('geheim\n');
		const done = await within('its end', terminal.closed);
		assert.doesNotMatch(done.output, /geheim/);
		assert.match(done.output, / echo /);
	});

	test('login that is interrupted keeps nothing, and gives the terminal back', async (t) => {
		const XDG_CONFIG_HOME = scratchDir('config');
		const terminal = startAtTerminal(t, `trap : INT; ${quoted([program(), 'login', daemon.origin])}; echo "status $?"; stty -a`, daemon, { XDG_CONFIG_HOME });
		await until('the question', () => terminal.output.includes('Token (nothing for none): '));
		terminal.stdin.write('gehe\u0003');
		const done = await within('its end', terminal.closed);
		assert.doesNotMatch(done.output, /gehe/);
		assert.match(done.output, /interrupted; nothing was kept/);
		assert.match(done.output, /status 5/);
		assert.match(done.output, / echo /);
		assert.deepEqual(fs.readdirSync(XDG_CONFIG_HOME), []);
	});

	// Between the question and the wait for what is typed, where the signal interrupts nothing.
	test('login that is interrupted while it asks ends as well', { skip: noStrace }, async (t) => {
		const env = { XDG_CONFIG_HOME: scratchDir('config'), ASAN_OPTIONS: 'detect_leaks=0' };
		const slow = ['strace', '-qq', '-o', '/dev/null', '-e', 'trace=write', '-e', 'inject=write:delay_exit=500000'];
		const terminal = startAtTerminal(t, `trap : INT; ${quoted([...slow, program(), 'login', daemon.origin])}; echo "status $?"`, daemon, env);
		await until('the question', () => terminal.output.includes('Token (nothing for none): '));
		terminal.stdin.write('\u0003');
		const done = await within('its end', terminal.closed);
		assert.match(done.output, /interrupted; nothing was kept/);
		assert.match(done.output, /status 5/);
	});

	test('nothing is asked where there is no terminal to ask at', async () => {
		await published(daemon, 'rm/m', denseModel());
		const done = await modelctl(daemon, ['rm', '--all', 'rm/m']);
		assert.equal(done.code, 0, done.stderr);
		const env = { XDG_CONFIG_HOME: scratchDir('config') };
		const login = await modelctl(daemon, ['login'], { env });
		assert.equal(login.code, 0, login.stderr);
		assert.doesNotMatch(login.stderr, /Token \(/);
	});
});
