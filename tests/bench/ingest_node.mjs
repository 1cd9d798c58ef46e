// SPDX-License-Identifier: Apache-2.0
// What people write today to take a model: ingest_node.mjs FOLDER PORT. PUT /NAME stores a body, POST the
// files of a form, read by busboy; both hash with SHA-256 on the way and sync nothing.

import busboy from 'busboy';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const [folder, port] = process.argv.slice(2);
let stored = 0;

async function store(stream, name) {
	const hash = crypto.createHash('sha256');
	const through = new Transform({
		transform(chunk, _, done) {
			hash.update(chunk);
			done(null, chunk);
		},
	});
	const file = path.join(folder, `${stored++}-${path.basename(name)}`);
	await pipeline(stream, through, fs.createWriteStream(file));
	return { name, sha256: hash.digest('hex') };
}

async function storeForm(request) {
	const files = [];
	const form = busboy({ headers: request.headers });
	form.on('file', (name, stream, { filename }) => files.push(store(stream, filename ?? name)));
	await pipeline(request, form);
	return Promise.all(files);
}

http.createServer({ requestTimeout: 0 }, async (request, response) => {
	try {
		const answer = request.method === 'POST' ? await storeForm(request) :
			request.method === 'PUT' ? [await store(request, request.url)] : [];
		response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
	} catch (error) {
		response.writeHead(500).end(String(error));
	}
}).listen(Number(port), '127.0.0.1');
