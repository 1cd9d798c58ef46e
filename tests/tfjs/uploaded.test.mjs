// SPDX-License-Identifier: Apache-2.0
// Whoever publishes a model chooses its files, and everybody opens them from the server's origin: in Chromium none of
// them runs as a script, whether a person follows a link to it or a page embeds it.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { Browser, noChromium } from '../lib/chromium.mjs';
import { until, useDaemon } from '../lib/daemon.mjs';
import { get, published } from '../lib/http.mjs';
import { denseModel, shardsOf, utf8, withFile } from '../lib/models.mjs';

const TYPES = { html: 'text/html', xhtml: 'application/xhtml+xml', svg: 'image/svg+xml', xml: 'text/xml', js: 'text/javascript' };

function hostile(beacon) {
	const code = `document.title='ran';fetch('${beacon}/ran',{mode:'no-cors'});`;
	const html = `<!doctype html><title>quiet</title><script>${code}</script><img src="${beacon}/ran">`;
	const xml = `xmlns="http://www.w3.org/1999/xhtml"><head><title>quiet</title><script>${code.replaceAll('&', '&amp;')}</script></head>`;
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><title>quiet</title><script>${code}</script></svg>`;
	return {
		'page.html': html,
		'page.HTM': html,
		'page.xhtml': `<?xml version="1.0"?><html ${xml}<body/></html>`,
		'image.svg': svg,
		'feed.xml': `<?xml version="1.0"?><html ${xml}<body/></html>`,
		'script.js': code,
		'script.mjs': code,
		'no-suffix': html,
		'labels.txt': html,
		'README.md': html,
		'table.csv': html,
		'data.json': JSON.stringify({ html }),
		'sub/index.html': html,
	};
}

describe('files that were uploaded', { skip: noChromium }, () => {
	const daemon = useDaemon();
	const browser = new Browser();
	const hits = [];
	let server;
	let beacon;
	let files;

	before(async () => {
		server = http.createServer(({ url }, response) => {
			hits.push(url);
			const name = url.slice(1);
			const type = TYPES[name.split('.').pop()] ?? 'text/plain';
			response.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' }).end(files[name] ?? '');
		});
		await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
		beacon = `http://127.0.0.1:${server.address().port}`;
		files = hostile(beacon);
		let model = denseModel();
		for (const [path, text] of Object.entries(files)) {
			model = withFile(model, path, utf8(text));
		}
		await published(daemon, 'm', model);
		await browser.start();
	});
	after(async () => {
		await browser.stop();
		server.closeAllConnections();
		server.close();
	});

	// What a person sees: 'download', or the title and origin of the document.
	async function open(url) {
		const page = await browser.context.newPage();
		try {
			const download = page.waitForEvent('download').then((begun) => begun.cancel().then(() => 'download'));
			download.catch(() => {});
			const shown = page.goto(url).then(async () => {
				await page.waitForLoadState('load');
				return page.evaluate(() => ({ title: document.title, origin: self.origin }));
			});
			return await Promise.race([download, shown.catch(() => download)]);
		} finally {
			await page.close();
		}
	}

	const ran = () => hits.filter((url) => url === '/ran').length;

	test('the same files from a server that calls them pages do run', async () => {
		for (const name of ['page.html', 'page.xhtml', 'image.svg', 'feed.xml']) {
			const before_ = ran();
			assert.equal((await open(`${beacon}/${name}`)).title, 'ran', name);
			await until('the beacon', () => ran() > before_);
		}
	});

	test('a person who follows a link to one is given a file or its text', async () => {
		const before_ = ran();
		for (const name of Object.keys(files)) {
			for (const ref of ['m@1', 'm@latest']) {
				const { headers } = await get(daemon, `/models/${ref}/${name}`);
				assert.equal(headers['content-security-policy'], 'sandbox');
				assert.equal(headers['x-content-type-options'], 'nosniff');
				const isText = /^(text\/(plain|csv)|application\/json)/.test(headers['content-type']);
				assert.ok(isText || headers['content-type'] === 'application/octet-stream', headers['content-type']);
				const seen = await open(daemon.url(`/models/${ref}/${name}`));
				if (seen === 'download') {
					assert.ok(!/\.(txt|json|md)$/.test(name), name);
				} else {
					assert.ok(isText, name);
					assert.notEqual(seen.title, 'ran', name);
					assert.equal(seen.origin, 'null', 'a sandbox is of no origin');
				}
			}
		}
		assert.equal(ran(), before_);
	});

	test('a shard and model.json are files too', async () => {
		assert.equal(await open(daemon.url(`/models/m@1/${shardsOf(denseModel())[0].path}`)), 'download');
		assert.equal((await open(daemon.url('/models/m/model.json'))).origin, 'null');
	});

	test('a page that embeds one as script, module, frame, image, object or style runs nothing', async () => {
		const page = await browser.page();
		const before_ = ran();
		const outcomes = await page.evaluate(async ([origin, names]) => {
			const settled = (element) => new Promise((resolve) => {
				element.onload = () => resolve('load');
				element.onerror = () => resolve('error');
				document.body.append(element);
			});
			// A frame or an object that shows nothing tells nobody.
			const shown = (element) => Promise.race([settled(element), new Promise((resolve) => { setTimeout(resolve, 2000); })]);
			const made = (tag, attributes) => Object.assign(document.createElement(tag), attributes);
			const all = names.map(async (name) => {
				const url = `${origin}/models/m@1/${name}`;
				return { name,
					script: await settled(made('script', { src: url })),
					module: await import(url).then(() => 'load', () => 'error'),
					image: await settled(made('img', { src: url })),
					style: await settled(made('link', { rel: 'stylesheet', href: url })) };
			});
			const frames = names.map((name) => shown(made('iframe', { src: `${origin}/models/m@1/${name}` })));
			const objects = names.map((name) => shown(made('object', { data: `${origin}/models/m@1/${name}` })));
			await Promise.all([...frames, ...objects]);
			return Promise.all(all);
		}, [daemon.origin, Object.keys(files)]);
		for (const { name, script, module } of outcomes) {
			assert.equal(script, 'error', `${name} as a script`);
			assert.equal(module, 'error', `${name} as a module`);
		}
		assert.notEqual(await page.title(), 'ran');
		assert.equal(ran(), before_);
		await page.close();
	});
});
