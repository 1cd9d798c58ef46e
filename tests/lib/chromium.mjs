// SPDX-License-Identifier: Apache-2.0
// A headless Chromium with a page that has TensorFlow.js, on an origin that is not the daemon's.

import { createHash, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { scratchDir } from './daemon.mjs';

const TESTS = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const TF_BUNDLE = path.join(TESTS, 'node_modules/@tensorflow/tfjs/dist/tf.min.js');
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
	'<title>TensorFlow.js</title><script src="/tf.min.js"></script>';
const DEADLINE_MS = 300_000;

// A page at this origin is none of ours to the daemon, though it comes from the same machine.
export const FOREIGN_HOST = 'page.example';

const NO_QUIC = ['--disable-quic'];
const ARGS = ['--no-sandbox', '--disable-gpu', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
	`--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`];

// Words for one that asks `origin`, whose certificate it takes for this one alone, by HTTP/3 or not at all.
export const http3Only = ({ cert }, origin) => {
	const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
	return ['--enable-quic', `--origin-to-force-quic-on=${new URL(origin).host}`,
		`--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`];
};

export const chromiumPath = process.env.CHROMIUM || '/usr/bin/chromium';
export const noChromium = !fs.existsSync(chromiumPath) && `there is no ${chromiumPath}`;

function servePage() {
	const server = http.createServer((request, response) => {
		const { pathname } = new URL(request.url, 'http://page');
		if (pathname === '/') {
			response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
			return;
		}
		const file = pathname === '/tf.min.js' ? TF_BUNDLE : path.join(TESTS, pathname);
		const known = file === TF_BUNDLE || (/\.mjs$/.test(file) && fs.existsSync(file));
		response.writeHead(known ? 200 : 404, { 'content-type': 'text/javascript' });
		response.end(known ? fs.readFileSync(file) : '');
	});
	return new Promise((resolve) => {
		server.listen(0, '127.0.0.1', () => resolve(server));
	});
}

export class Browser {
	// `more` are words for this one.
	async start(more = NO_QUIC) {
		const { chromium } = await import('playwright-core');
		this.server = await servePage();
		this.port = this.server.address().port;
		// A home of its own: nothing of the person who runs the tests is read or written.
		this.context = await chromium.launchPersistentContext(scratchDir('chromium'), {
			executablePath: chromiumPath,
			args: [...ARGS, ...more],
			timeout: DEADLINE_MS,
		});
		this.context.setDefaultTimeout(DEADLINE_MS);
	}

	// A page with `tf` on the CPU backend, whose numbers are the same wherever it runs.
	async page(host = '127.0.0.1') {
		const page = await this.context.newPage();
		page.requests = [];
		page.on('request', (request) => page.requests.push(request));
		await page.goto(`http://${host}:${this.port}/`);
		await page.evaluate(async () => {
			await globalThis.tf.setBackend('cpu');
			await globalThis.tf.ready();
		});
		return page;
	}

	async stop() {
		await this.context?.close();
		this.server?.closeAllConnections();
		this.server?.close();
	}
}
