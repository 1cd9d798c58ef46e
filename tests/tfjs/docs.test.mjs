// SPDX-License-Identifier: Apache-2.0
// The programs and the page in the documents, as they stand: the former in Node, the latter in Chromium.
// Only the address of the server is another, and TensorFlow.js comes from tests/node_modules.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { Browser, noChromium, TF_BUNDLE } from '../lib/chromium.mjs';
import { daemonEnv, scratchDir, useDaemon, within } from '../lib/daemon.mjs';
import { documents, toRun } from '../lib/documents.mjs';
import { get, multipart, partsOf, post, published } from '../lib/http.mjs';
import { addGraph, denseModel, utf8, withFile } from '../lib/models.mjs';

const HERE = 'http://127.0.0.1:8570';
const MODULES = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../node_modules');

const textFor = (daemon, { text }) => text.replaceAll(HERE, daemon.origin);

function found(lang) {
	return documents.flatMap((document) => toRun(document, lang).map((block) => ({ document, ...block })));
}

describe('programs in the documents', () => {
	const daemon = useDaemon();
	const dir = scratchDir('docs');

	before(async () => {
		fs.symlinkSync(path.resolve(MODULES), path.join(dir, 'node_modules'));
		const model = withFile(denseModel(), 'labels.txt', utf8('cat\ndog\nbird\n'));
		const answered = await post(daemon, '/models/my-model?label=stable', multipart(partsOf(model)));
		assert.equal(answered.status, 201, answered.text);
	});

	for (const block of found('js')) {
		test(`${block.document} line ${block.line}`, async () => {
			const file = path.join(dir, `${block.line}.mjs`);
			fs.writeFileSync(file, textFor(daemon, block));
			const child = spawn(process.execPath, [file], { env: daemonEnv(), cwd: dir });
			let said = '';
			child.stdout.on('data', (bytes) => (said += bytes));
			child.stderr.on('data', (bytes) => (said += bytes));
			const ended = new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
			try {
				assert.equal(await within(file, ended), 0, said);
			} finally {
				child.kill('SIGKILL');
			}
			const { models } = (await get(daemon, '/v1/models')).json;
			assert.deepEqual(models.map(({ name }) => name), ['my-model'], 'the model is there');
		});
	}

	test('there are some', () => assert.ok(found('js').length >= 3));
});

// A server of one page, and the text of its <pre>, once that is not the first one any more.
async function shownBy(browser, html) {
	const server = http.createServer((_, response) =>
		response.writeHead(200, { 'content-type': 'text/html' }).end(html));
	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	const page = await browser.context.newPage();
	try {
		await page.route(/^https:.*[/]tf[.]min[.]js$/, (route) =>
			route.fulfill({ path: TF_BUNDLE, contentType: 'text/javascript' }));
		await page.goto(`http://127.0.0.1:${server.address().port}/page.html`);
		const shown = await page.waitForFunction(() => {
			const { textContent } = globalThis.document.querySelector('pre');
			return textContent !== 'loading' && textContent;
		});
		return await shown.jsonValue();
	} finally {
		await page.close();
		server.closeAllConnections();
		server.close();
	}
}

describe('the page in docs/hosting.md', { skip: noChromium }, () => {
	const daemon = useDaemon();
	const browser = new Browser();
	const [block] = toRun('docs/hosting.md', 'html');

	before(async () => {
		await tf.setBackend('cpu');
		await published(daemon, 'my-model', denseModel({ inputs: 4, units: 3, shardBytes: 40 }));
		await published(daemon, 'my-graph', addGraph());
		await browser.start();
	});
	after(() => browser.stop());

	const numbers = (text) => text.match(/-?\d+\.\d+/g).map(Number);

	function assertClose(given, wanted) {
		assert.equal(given.length, wanted.length);
		wanted.forEach((value, i) => assert.ok(Math.abs(value - given[i]) < 1e-4, `${given} ${wanted}`));
	}

	test('prints what the model says', async () => {
		const model = await tf.loadLayersModel(`${daemon.origin}/models/my-model/model.json`);
		assertClose(numbers(await shownBy(browser, textFor(daemon, block))),
			[...await model.predict(tf.ones([1, 4])).data()]);
	});

	test('is of the release of TensorFlow.js that is tested', () => {
		assert.ok(block.text.includes(`@tensorflow/tfjs@${tf.version.tfjs}/`));
	});

	test('prints why, where there is no such model', async () => {
		const html = textFor(daemon, block).replace('my-model/model.json', 'none/model.json');
		assert.match(await shownBy(browser, html), /status code 404/);
	});

	test('prints what a graph model says, with the other loader', async () => {
		const html = textFor(daemon, block).replace('loadLayersModel', 'loadGraphModel')
			.replaceAll('my-model', 'my-graph');
		const model = await tf.loadGraphModel(`${daemon.origin}/models/my-graph/model.json`);
		assertClose(numbers(await shownBy(browser, html)), [...await model.predict(tf.ones([1, 6])).data()]);
	});
});
