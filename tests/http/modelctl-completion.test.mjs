// SPDX-License-Identifier: Apache-2.0
// modelctl completion: what bash, zsh and fish make of it, each run for real.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { have, scratchDir, useDaemon } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { USAGE, clientEnv, modelctl, program } from '../lib/modelctl.mjs';
import { denseModel } from '../lib/models.mjs';

const SHELLS = ['bash', 'zsh', 'fish'];
const missing = (shell) => ({ skip: !have(shell) && `no ${shell}` });

describe('completion', () => {
	const daemon = useDaemon();
	const scripts = {};
	let token;

	before(async () => {
		const dir = scratchDir('completion');
		for (const shell of SHELLS) {
			const { code, stdout, stderr } = await modelctl(undefined, ['completion', shell]);
			assert.equal(code, 0, stderr);
			fs.writeFileSync(scripts[shell] = path.join(dir, shell), stdout);
		}
		await published(daemon, 'team/alpha', denseModel({ seed: 1 }));
		await published(daemon, 'team/beta', denseModel({ seed: 2 }));
		for (const label of ['stable', 'canary']) {
			assert.equal((await modelctl(daemon, ['label', 'set', 'team/alpha', label])).code, 0);
		}
		token = (await modelctl(daemon, ['token', 'create', '--scope', 'admin', '-q'])).stdout.trim();
	});

	// As the shell finds it, beside what it needs itself.
	const surroundings = (origin = daemon) => clientEnv(origin, { TERM: 'xterm', MODELCTL_TOKEN: token,
		PATH: `${path.dirname(program())}:${process.env.PATH}`, XDG_CONFIG_HOME: scratchDir('config') });

	function run(words, origin) {
		const done = spawnSync(words[0], words.slice(1),
			{ encoding: 'utf8', env: surroundings(origin), cwd: scratchDir('empty'), timeout: 60000 });
		assert.equal(done.status, 0, `${done.stderr}${done.stdout}${done.error ?? ''}`);
		return done.stdout;
	}

	// What bash offers for the last word of a line, which it breaks at an @ too.
	function bash(line, origin) {
		const words = line.match(/[^ @]+|@|(?<= )$/g);
		const script = `source ${scripts.bash}; COMP_LINE=$1; COMP_POINT=\${#1}; shift; COMP_WORDS=("$@")
			COMP_CWORD=$(($# - 1)); _modelctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
		return run(['bash', '-c', script, 'bash', line, ...words], origin).split('\n').filter(Boolean);
	}

	const fish = (line, origin) => run(['fish', '-c', 'source $argv[1]; complete -C $argv[2]', scripts.fish, line], origin)
		.split('\n').filter(Boolean).map((offer) => offer.split('\t')[0]);

	// What becomes of each line when the tabulator is pressed behind it, in an interactive zsh.
	function zsh(lines) {
		const driver = path.join(scratchDir('zsh'), 'driver');
		fs.writeFileSync(driver, `zmodload zsh/zpty
			zpty z zsh -f -i
			zpty -w z "PS1=; unsetopt beep; autoload -Uz compinit; compinit -u -D; source $1; print READ''Y"
			zpty -r -m z out '*READY*'
			for line in "\${@[2,-1]}"; do
				zpty -w -n z "$line"$'\\t\\001'"print -r -- 'RES''ULT' "$'\\n'
				zpty -r -m z out $'*RESULT modelctl*\\n*'
				print -r -- "\${\${out##*RESULT }%%$'\\r'*}"
			done
			zpty -d z
		`);
		return run(['zsh', '-f', driver, scripts.zsh, ...lines]).split('\n').filter(Boolean);
	}

	test('is there for three shells, each of which can read its own', async () => {
		for (const shell of SHELLS) {
			if (have(shell)) {
				run([shell, '-n', scripts[shell]]);
			}
		}
		assert.equal((await modelctl(undefined, ['completion', 'tcsh'])).code, USAGE);
		const { json } = await modelctl(undefined, ['completion', 'bash', '--json']);
		assert.deepEqual(json, { shell: 'bash', script: fs.readFileSync(scripts.bash, 'utf8') });
	});

	// [line, what is offered]; a word is enough where there are more.
	const offers = [
		['modelctl la', ['label']],
		['modelctl label ', ['ls', 'set', 'rm']],
		['modelctl jobs w', ['watch']],
		['modelctl push --on', ['--only-new']],
		['modelctl label set --i', ['--if']],
		['modelctl completion ', ['bash', 'zsh', 'fish']],
		['modelctl show te', ['team/alpha', 'team/beta']],
		['modelctl label ls team/a', ['team/alpha']],
		['modelctl token revoke ', null],
	];

	for (const [shell, complete] of Object.entries({ bash, fish })) {
		test(`${shell} completes commands, their words, options, and what the server has`, missing(shell), () => {
			for (const [line, expected] of offers) {
				const found = complete(line);
				const wanted = expected ?? [token.split('_')[1]];
				assert.ok(wanted.every((word) => found.includes(word)), `${line}: ${found}`);
			}
			const labels = complete('modelctl show team/alpha@');
			assert.deepEqual(labels.map((word) => word.replace('team/alpha@', '')).sort(), ['canary', 'stable']);
			assert.deepEqual(complete('modelctl pull team/alpha@c').map((word) => word.replace('team/alpha@', '')), ['canary']);
		});

		test(`${shell} is not held up by a server that is not there`, missing(shell), () => {
			assert.deepEqual(complete('modelctl show te', { origin: 'http://127.0.0.1:1' }), []);
		});
	}

	test('bash completes values, files and all commands', missing('bash'), () => {
		assert.deepEqual(bash('modelctl ls --color a'), ['auto', 'always']);
		const commands = bash('modelctl ');
		for (const word of ['push', 'pull', 'lint', 'doctor', 'diff', 'ls', 'show', 'label', 'rm', 'import', 'jobs', 'link', 'token', 'login', 'completion']) {
			assert.ok(commands.includes(word), word);
		}
	});

	test('zsh completes commands, their words, options, and what the server has', missing('zsh'), () => {
		const lines = {
			'modelctl la': 'modelctl label',
			'modelctl label s': 'modelctl label set',
			'modelctl push --on': 'modelctl push --only-new',
			'modelctl completion f': 'modelctl completion fish',
			'modelctl show team/a': 'modelctl show team/alpha',
			'modelctl show team/alpha@c': 'modelctl show team/alpha@canary',
			'modelctl label ls team/b': 'modelctl label ls team/beta',
		};
		assert.deepEqual(zsh(Object.keys(lines)).map((line) => line.trim()), Object.values(lines));
	});
});
