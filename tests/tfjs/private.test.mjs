// SPDX-License-Identifier: Apache-2.0
// The released TensorFlow.js with private models: it carries ?k= on to every shard.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import tf from '@tensorflow/tfjs';

import { Browser, noChromium } from '../lib/chromium.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { multipart, partsOf, post, request } from '../lib/http.mjs';
import { addGraph } from '../lib/models.mjs';
import { bearer, makeToken, revokeToken } from '../lib/tokens.mjs';

const VALUES = Array.from({ length: 40 }, (_, i) => i / 4);
const graph = addGraph({ size: VALUES.length, values: VALUES, shardBytes: 16 });

describe('TensorFlow.js and a private model', () => {
	const daemon = useDaemon({ set: { 'auth.anonymous': 'none' } });
	const browser = new Browser();
	let token;
	let page;

	before(async () => {
		await tf.setBackend('cpu');
		token = await makeToken(daemon, '--scope', 'read,publish,label');
		const answered = await post(daemon, '/models/team/graph?label=stable', multipart(partsOf(graph)),
			{ headers: bearer(token) });
		assert.equal(answered.status, 201, answered.text);
		if (!noChromium) {
			await browser.start();
			page = await browser.page();
		}
	});
	after(() => (noChromium ? undefined : browser.stop()));

	async function weights(url, options) {
		const model = await tf.loadGraphModel(url, options);
		const values = [...await model.weights.w[0].data()];
		model.dispose();
		return values;
	}

	for (const ref of ['team/graph', 'team/graph@1', 'team/graph@stable']) {
		test(`${ref} loads with a token in the query`, async () => {
			assert.deepEqual(await weights(daemon.url(`/models/${ref}/model.json?k=${token}`)), VALUES);
		});

		test(`${ref} loads with the header`, async () => {
			assert.deepEqual(await weights(daemon.url(`/models/${ref}/model.json`),
				{ requestInit: { headers: bearer(token) } }), VALUES);
		});

		test(`${ref} does not load without`, async () => {
			await assert.rejects(weights(daemon.url(`/models/${ref}/model.json`)), /401/);
		});
	}

	async function link(ref) {
		const answered = await request(daemon, 'POST', '/v1/links', { headers: bearer(token),
			body: JSON.stringify({ ref, ttl: '1h' }) });
		assert.equal(answered.status, 200, answered.text);
		return answered.json.url;
	}

	for (const ref of ['team/graph', 'team/graph@1']) {
		test(`the url of a link to ${ref} loads`, async () => {
			assert.deepEqual(await weights(await link(ref)), VALUES);
		});
	}

	test('a page of another origin loads the url of a link', { skip: noChromium }, async () => {
		const load = (url) => page.evaluate(async (from) => {
			const model = await globalThis.tf.loadGraphModel(from);
			return [...await model.weights.w[0].data()];
		}, url);
		assert.deepEqual(await load(await link('team/graph')), VALUES);
		await assert.rejects(load(daemon.url('/models/team/graph/model.json')), /401/);
	});

	test('model.save with a token publishes what loads with it', async () => {
		const saved = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
		const target = (headers) => tf.io.http(daemon.url('/models/team/saved'), { requestInit: { headers } });
		await assert.rejects(saved.save(target({})), /401/);
		await saved.save(target(bearer(token)));
		const loaded = await tf.loadLayersModel(daemon.url(`/models/team/saved/model.json?k=${token}`));
		const input = tf.tensor2d([[1, 2, 3]]);
		assert.deepEqual([...await loaded.predict(input).data()], [...await saved.predict(input).data()]);
	});

	test('what was revoked between model.json and the shards loads nothing', async () => {
		const short = await makeToken(daemon, '--scope', 'read');
		const fetchFunc = async (url, init) => {
			if (url.endsWith(`.json?k=${short}`)) {
				const answered = await fetch(url, init);
				const text = await answered.text();
				await revokeToken(daemon, short);
				return new Response(text, { status: answered.status, headers: answered.headers });
			}
			return fetch(url, init);
		};
		await assert.rejects(weights(daemon.url(`/models/team/graph/model.json?k=${short}`), { fetchFunc }));
	});
});
