// SPDX-License-Identifier: Apache-2.0
// publish.mjs TARGET CLIENTS FILES VERSIONS: prints how many versions of that many files of 64 bytes
// and a model.json were stored a second, by so many clients at a time. TARGET is the origin of a modeld,
// or a folder: there each file is written and synced by itself, and then the folder that holds it.

import crypto from 'node:crypto';
import { promises as fs } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const [target, ...counts] = process.argv.slice(2);
const [clients, files, versions] = counts.map(Number);
const BOUNDARY = 'a-boundary-that-no-file-has';

// New bytes each time: known ones would be stored once.
function makeModel() {
	const shards = Array.from({ length: files }, (_, i) => [`shard${i}.bin`, crypto.randomBytes(64)]);
	const paths = shards.map(([name]) => name);
	const weights = [{ name: 'w', shape: [16 * files], dtype: 'int32' }];
	return [['model.json', Buffer.from(JSON.stringify({ weightsManifest: [{ paths, weights }] }))], ...shards];
}

async function publish(model, client) {
	const parts = model.flatMap(([name, bytes]) => [
		Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\n\r\n`),
		bytes, Buffer.from('\r\n'),
	]);
	const body = Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
	await new Promise((resolve, reject) => {
		const request = http.request(`${target}/models/client-${client}`, {
			method: 'POST',
			headers: {
				'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': body.length,
			},
		}, (response) => {
			response.resume();
			response.on('end', () => (response.statusCode === 201 ? resolve() :
				reject(new Error(`the answer was ${response.statusCode}`))));
		});
		request.on('error', reject);
		request.end(body);
	});
}

async function sync(file, flags) {
	const handle = await fs.open(file, flags);
	await handle.sync();
	await handle.close();
}

async function write(model, client, n) {
	const folder = path.join(target, `by-hand-${process.pid}-${client}-${n}`);
	await fs.mkdir(folder);
	for (const [name, bytes] of model) {
		const file = path.join(folder, name);
		await fs.writeFile(file, bytes);
		await sync(file, 'r+');
	}
	await sync(folder, 'r');
}

const store = target.startsWith('http:') ? publish : write;
let left = versions;

const start = process.hrtime.bigint();
await Promise.all(Array.from({ length: clients }, async (_, client) => {
	while (left-- > 0) {
		await store(makeModel(), client, left);
	}
}));
console.log(versions / (Number(process.hrtime.bigint() - start) / 1e9));
