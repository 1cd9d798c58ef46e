// SPDX-License-Identifier: Apache-2.0
// The released TensorFlow.js in Node, which is told of an authority by NODE_EXTRA_CA_CERTS, over TLS: that of
// the daemon, and those of proxies; and in a browser by HTTP/3.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Browser, http3Only, noChromium } from '../lib/chromium.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { published } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { Proxy, proxyKinds } from '../lib/proxies.mjs';
import { Authority } from '../lib/tls.mjs';

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));

const PROGRAM = `
import tf from '@tensorflow/tfjs';
await tf.setBackend('cpu');
const url = process.argv[1];
const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [70000] })] });
const saved = await model.save(url + '/models/m');
const loaded = await tf.loadLayersModel(url + '/models/m/model.json');
const [before, after] = await Promise.all([model, loaded].map((one) => one.getWeights()[0].data()));
console.log(JSON.stringify({ responses: saved.responses.map(({ status }) => status),
	count: after.length, same: before.every((value, i) => value === after[i]) }));
`;

async function saveAndLoad(url, env) {
	const { stdout } = await run(process.execPath, ['--input-type=module', '-e', PROGRAM, url],
		{ cwd: here, env: { ...process.env, ...env }, timeout: 120_000 });
	return JSON.parse(stdout.trim().split('\n').at(-1));
}

test('a model is saved and loaded by https, and by nobody who does not know the authority', async (t) => {
	const authority = new Authority();
	const { certFile, keyFile } = authority.issue('127.0.0.1');
	const daemon = await startDaemon(t, { listen: 'tls:127.0.0.1:0', ca: fs.readFileSync(authority.file),
		set: { 'tls.certificate': certFile, 'tls.key': keyFile } });
	assert.deepEqual(await saveAndLoad(daemon.origin, { NODE_EXTRA_CA_CERTS: authority.file }),
		{ responses: [201], count: 210_000, same: true });
	await assert.rejects(saveAndLoad(daemon.origin, {}), /fetch failed|certificate/);
	await daemon.stop();
});

for (const kind of proxyKinds) {
	test(`a model is saved and loaded through ${kind}`, async (t) => {
		const authority = new Authority();
		const daemon = await startDaemon(t, { set: { 'http.trusted_proxies': '127.0.0.1', 'auth.anonymous': 'read publish' } });
		const proxy = new Proxy(kind, authority.issue('localhost'));
		t.after(() => proxy.stop());
		await proxy.start(daemon.port);
		assert.deepEqual(await saveAndLoad(proxy.origin, { NODE_EXTRA_CA_CERTS: authority.file }),
			{ responses: [201], count: 210_000, same: true });
		await daemon.stop();
	});
}

test('a page loads a model through caddy by HTTP/3', { skip: noChromium }, async (t) => {
	const certificate = new Authority().issue('localhost');
	const daemon = await startDaemon(t, { set: { 'http.trusted_proxies': '127.0.0.1', 'auth.anonymous': 'read publish' } });
	await published(daemon, 'm', denseModel({ inputs: 70_000 }));
	const proxy = new Proxy('caddy', certificate);
	const browser = new Browser();
	t.after(() => Promise.all([browser.stop(), proxy.stop()]));
	await proxy.start(daemon.port);
	await browser.start(http3Only(certificate, proxy.origin));
	const page = await browser.page();
	const seen = await page.evaluate(async (url) => {
		const model = await globalThis.tf.loadLayersModel(`${url}/models/m/model.json`);
		const [kernel] = model.getWeights();
		const protocols = performance.getEntriesByType('resource').filter(({ name }) => name.startsWith(url))
			.map(({ name, nextHopProtocol }) => [new URL(name).pathname.split('/').at(-1), nextHopProtocol]);
		return { values: kernel.size, protocols };
	}, proxy.origin);
	assert.ok(seen.values >= 70_000);
	assert.ok(seen.protocols.length >= 2, JSON.stringify(seen.protocols));
	assert.ok(seen.protocols.every(([, protocol]) => protocol === 'h3'), JSON.stringify(seen.protocols));
	await daemon.stop();
});
