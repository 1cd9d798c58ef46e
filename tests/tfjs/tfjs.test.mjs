// SPDX-License-Identifier: Apache-2.0
// The released TensorFlow.js against a real daemon: in Node, and in Chromium from another origin.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { Browser, FOREIGN_HOST, noChromium } from '../lib/chromium.mjs';
import { useDaemon, within } from '../lib/daemon.mjs';
import { get, published } from '../lib/http.mjs';
import { addGraph } from '../lib/models.mjs';
import { scenarios } from './scenarios.mjs';

const SCENARIO_MS = 300_000;
const modelName = (name, where) =>
	`${where}/${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;

describe('TensorFlow.js in Node', () => {
	const daemon = useDaemon();
	before(async () => {
		await tf.setBackend('cpu');
	});

	for (const [name, run] of Object.entries(scenarios)) {
		test(name, () => within(name, run(tf, daemon.origin, modelName(name, 'node')), SCENARIO_MS));
	}
});

describe('TensorFlow.js in Chromium', { skip: noChromium }, () => {
	const daemon = useDaemon();
	const browser = new Browser();
	let page;

	before(async () => {
		await browser.start();
		page = await browser.page();
	});
	after(() => browser.stop());

	const runIn = (on, name, where = 'chromium') => within(name, on.evaluate(
		async ([scenario, origin, model]) => {
			const module = await import('/tfjs/scenarios.mjs');
			return module.scenarios[scenario](globalThis.tf, origin, model);
		}, [name, daemon.origin, modelName(name, where)]), SCENARIO_MS);

	test('the page is of another origin, and the release is the pinned one', async () => {
		assert.notEqual(new URL(page.url()).origin, daemon.origin);
		assert.equal(await page.evaluate(() => globalThis.tf.version.tfjs), tf.version.tfjs);
		assert.equal(await page.evaluate(() => globalThis.tf.getBackend()), 'cpu');
	});

	for (const name of Object.keys(scenarios)) {
		test(name, () => runIn(page, name));
	}

	test('a second load takes pinned shards from the cache', async () => {
		const model = addGraph({ seed: 3, size: 40, shardBytes: 16 });
		await published(daemon, 'cached', model);
		const load = (on) => on.evaluate(async (url) => {
			const loaded = await globalThis.tf.loadGraphModel(url);
			return [...await loaded.weights.w[0].data()];
		}, daemon.url('/models/cached/model.json'));
		const fresh = await browser.page();
		const first = await load(fresh);
		const entries = await fresh.evaluate(async (url) => {
			performance.clearResourceTimings();
			const loaded = await globalThis.tf.loadGraphModel(url);
			await loaded.weights.w[0].data();
			// Timing-Allow-Origin lets the page see what was transferred.
			return performance.getEntriesByType('resource').map(({ name, transferSize }) =>
				({ name, transferSize }));
		}, daemon.url('/models/cached/model.json'));
		const shards = entries.filter(({ name }) => name.endsWith('.bin'));
		assert.equal(shards.length, 10);
		assert.deepEqual(shards.map(({ transferSize }) => transferSize), new Array(10).fill(0));
		assert.deepEqual(await load(fresh), first);
		await fresh.close();
	});

	test('a new version is seen by a page that has the old one in its cache', async () => {
		const load = (on) => on.evaluate(async (url) => {
			const loaded = await globalThis.tf.loadGraphModel(url);
			return [...await loaded.weights.w[0].data()];
		}, daemon.url('/models/renewed/model.json'));
		for (const value of [1, 2, 3]) {
			await published(daemon, 'renewed', addGraph({ size: 8, shardBytes: 16,
				values: new Float32Array(8).fill(value) }));
			assert.deepEqual(await load(page), new Array(8).fill(value));
		}
	});

	test('a script may read what it needs of an answer', async () => {
		await published(daemon, 'exposed', addGraph());
		const { seen, etag } = await page.evaluate(async (url) => {
			const response = await fetch(url);
			return { seen: [...response.headers.keys()], etag: response.headers.get('etag') };
		}, daemon.url('/models/exposed/model.json'));
		for (const name of ['etag', 'content-location', 'content-length', 'content-type']) {
			assert.ok(seen.includes(name), `${name} in ${seen}`);
		}
		// That of the coding the browser was sent.
		const codings = ['identity', 'gzip', 'br'].map((coding) =>
			get(daemon, '/models/exposed/model.json', { 'accept-encoding': coding }));
		const etags = (await Promise.all(codings)).map(({ headers }) => headers.etag);
		assert.ok(etags.includes(etag), `${etag} in ${etags}`);
	});

	describe('a page of another site', () => {
		let foreign;
		before(async () => {
			foreign = await browser.page(FOREIGN_HOST);
		});

		test('may load', async () => {
			await published(daemon, 'public', addGraph({ size: 3, shardBytes: 4,
				values: Float32Array.of(1, 2, 3) }));
			for (const streamWeights of [false, true]) {
				const values = await foreign.evaluate(async ([url, options]) => {
					const loaded = await globalThis.tf.loadGraphModel(url, options);
					return [...await loaded.weights.w[0].data()];
				}, [daemon.url('/models/public/model.json'), { streamWeights }]);
				assert.deepEqual(values, [1, 2, 3]);
			}
		});

		test('may not save, and is told the status', async () => {
			const message = await foreign.evaluate(async (url) => {
				const { tf: inPage } = globalThis;
				const model = inPage.sequential({ layers: [inPage.layers.dense({ units: 1, inputShape: [1] })] });
				return model.save(url).then(() => 'saved', (error) => error.message);
			}, daemon.url('/models/foreign'));
			assert.match(message, /status 403/);
			assert.equal((await get(daemon, '/v1/models/foreign')).status, 404);
		});
	});
});
