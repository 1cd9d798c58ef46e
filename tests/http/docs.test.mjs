// SPDX-License-Identifier: Apache-2.0
// What the documents show is what one sees: their commands are run as they stand, each document against
// a daemon and in a folder of its own, and their answers compared. See documents.mjs for the words.
//
// In the folder are models to publish: export/ (layers, in two shards, with labels.txt), graph/; and such
// as have something wrong: see putModels(). `substitutes` has what a test has otherwise than a reader.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { Daemon, runModeld, scratchDir, within } from '../lib/daemon.mjs';
import { blocksOf, documents, jsonDiffers, linesMatch, toRun } from '../lib/documents.mjs';
import { clientEnv, program } from '../lib/modelctl.mjs';
import { addGraph, concat, denseModel, shardsOf, utf8, withFile, withJson } from '../lib/models.mjs';
import { Origin } from '../lib/origin.mjs';

const HERE = 'http://127.0.0.1:8570';
const ELSEWHERE = 'https://models.example.org';
const substitutes = (daemon, origin) => [
	[HERE, daemon.origin],
	[ELSEWHERE, origin.url('').replace(/\/$/, '')],
	['sudo -u modeld ', ''],
	['/var/lib/modeld', './var'],
	['/mnt/backup', './backup'],
];

const replaced = (text, pairs) => pairs.reduce((all, [from, to]) => all.replaceAll(from, to), text);

function put(folder, model) {
	fs.mkdirSync(folder, { recursive: true });
	for (const { path: name, bytes } of model.files) {
		fs.writeFileSync(path.join(folder, name), bytes);
	}
}

// The same model as Keras 3 saves it.
function keras3(model) {
	return withJson(model, (json) => {
		const { modelTopology: topology, weightsManifest: [{ weights }] } = json;
		const [{ config: { batch_input_shape: shape, ...config }, ...dense }] = topology.config.layers;
		const input = { class_name: 'InputLayer', config: { batch_shape: shape, dtype: 'float32', name: 'input_layer' } };
		config.dtype = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null };
		topology.config.layers = [input, { ...dense, config }];
		topology.keras_version = '3.4.0';
		weights.forEach((weight) => { weight.name = `sequential/${weight.name}`; });
		return json;
	});
}

function putModels(top) {
	const model = denseModel({ shardBytes: 40 });
	const [first, second] = shardsOf(model).map((shard) => shard.path);
	const bytes = concat(shardsOf(model).map((shard) => shard.bytes));
	const withShard = (file, text) => withFile(model, file, utf8(text));
	put(path.join(top, 'export'), withFile(model, 'labels.txt', utf8('cat\ndog\nbird\n')));
	put(path.join(top, 'graph'), addGraph());
	put(path.join(top, 'broken'), withFile(model, second, bytes.slice(40, 48)));
	put(path.join(top, 'uneven'), withFile(withFile(model, first, bytes.slice(0, 20)), second, bytes.slice(20)));
	put(path.join(top, 'pointer'), withShard(first, 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 40\n'));
	put(path.join(top, 'keras3'), keras3(model));
	put(path.join(top, 'cut'), withJson(addGraph(), (json) => {
		json.modelTopology.node.find(({ name }) => name === 'y').input[1] = 'v';
		return json;
	}));
}

// All blocks in one bash, as in one terminal, each from the folder. What one prints goes to N.out and
// N.err, how it ended to N.status, and commands that failed to N.failed.
function script(top, log, blocks) {
	return `set -E -o pipefail\n${blocks.map((_, i) => `
cd '${top}'
trap 'echo "$?: $BASH_COMMAND" >>${log}/${i}.failed' ERR
. '${log}/${i}.sh' >'${log}/${i}.out' 2>'${log}/${i}.err'
echo $? >'${log}/${i}.status'
`).join('')}`;
}

async function runAll(top, daemon, origin, blocks) {
	const log = scratchDir('docs-log');
	const pairs = substitutes(daemon, origin);
	const back = pairs.slice(0, 2).map(([from, to]) => [to, from]);
	const dirs = [path.dirname(program()), path.dirname(path.resolve(process.env.MODELD)), process.env.PATH];
	blocks.forEach((block, i) => fs.writeFileSync(`${log}/${i}.sh`, replaced(block.text, pairs)));
	fs.writeFileSync(`${log}/script`, script(top, log, blocks));
	const child = spawn('bash', [`${log}/script`], { cwd: top, stdio: ['ignore', 'inherit', 'inherit'],
		env: clientEnv(daemon, { PATH: dirs.join(':'), HOME: top }) });
	const ended = new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
	try {
		await within('the commands of a document', ended, 600_000);
	} finally {
		child.kill('SIGKILL');
	}
	const read = (i, what) => {
		const file = `${log}/${i}.${what}`;
		return fs.existsSync(file) ? replaced(fs.readFileSync(file, 'utf8'), back) : '';
	};
	return blocks.map((_, i) => ({ stdout: read(i, 'out'), stderr: read(i, 'err'), failed: read(i, 'failed'),
		status: Number(read(i, 'status') || -1) }));
}

function assertAnswers({ lang, text }, { stdout, stderr }) {
	if (lang !== 'json') {
		const matches = [stdout, stderr, stdout + stderr].some((printed) => linesMatch(text, printed));
		assert.ok(matches, `it is not as shown:\n${stdout}\n--- on standard error:\n${stderr}`);
		return;
	}
	const differs = jsonDiffers(JSON.parse(text), JSON.parse(stdout));
	assert.equal(differs, undefined, `${differs} is not as shown:\n${stdout}`);
}

function describeCommands(document) {
	const top = scratchDir('docs');
	const daemon = new Daemon({ store: path.join(top, 'var'), set: { 'import.allow': '127.0.0.1' } });
	const origin = new Origin();
	const blocks = toRun(document, 'sh');
	let results;

	before(async () => {
		putModels(top);
		await daemon.start();
		await origin.start();
		origin.serve('/pose', addGraph({ seed: 2 }), file);
		results = await runAll(top, daemon, origin, blocks);
	});
	after(async () => {
		await origin.stop();
		try {
			await daemon.stop();
		} finally {
			await daemon.destroy();
		}
	});

	const all = blocksOf(document);
	blocks.forEach((block, i) => {
		test(`line ${block.line}: ${block.text.split('\n')[0]}`, () => {
			const { status, failed, stdout, stderr } = results[i];
			const wanted = Number(block.words.find((word) => word.startsWith('exit='))?.slice(5) ?? 0);
			const said = `${failed}\n${stdout}\n${stderr}`;
			assert.equal(status, wanted, said);
			assert.ok(wanted || !failed, said);
			const next = all[all.findIndex(({ line }) => line === block.line) + 1];
			if (next?.words.includes('answer')) {
				assertAnswers(next, results[i]);
			}
		});
	});
}

for (const document of documents.filter((name) => toRun(name, 'sh').length > 0)) {
	describe(document, () => describeCommands(document));
}

describe('the documents', () => {
	test('have commands that are run', () => {
		const run = documents.flatMap((document) => toRun(document, 'sh'));
		assert.ok(run.length > 30, `${run.length} blocks`);
	});

	for (const document of documents) {
		test(`${document}: an answer is one of a command`, () => {
			blocksOf(document).forEach((block, i, all) => assert.ok(!block.words.includes('answer') ||
				all[i - 1]?.words.includes('run'), `line ${block.line}`));
		});

		// Files that a configuration names, a certificate say, need to be there.
		const configurations = blocksOf(document).filter(({ lang, text }) => lang === 'ini' && !/^(key|ca_file) =/m.test(text));
		for (const { line, text } of configurations) {
			test(`${document}: the configuration in line ${line} is one`, async () => {
				const conf = path.join(scratchDir('docs'), 'modeld.conf');
				fs.writeFileSync(conf, text);
				const { code, stderr } = await runModeld(['check-config', '--config', conf]);
				assert.equal(code, 0, stderr);
			});
		}
	}
});
