// SPDX-License-Identifier: Apache-2.0
// What is asked of the servers by `./dev bench serve`, and what is hoped for beside nginx and lighttpd.

import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

import { KIB, MIB, deepModel, weightsModel } from './material.mjs';

const SHARDS = 40;

// Below root/models, as modeld's URLs have it; a version is made once and kept.
export function makeModels(root) {
	const folder = (name) => path.join(root, 'models', `${name}@1`);
	const made = { small: (to) => weightsModel(to, [{ name: '4m.bin', bytes: 4 * MIB },
		{ name: '64m.bin', bytes: 64 * MIB }], KIB),
	whole: (to) => weightsModel(to, Array.from({ length: SHARDS },
		(_, i) => ({ name: `shard${i + 1}of${SHARDS}.bin`, bytes: MIB }))),
	middle: (to) => deepModel(to, 100 * KIB),
	large: (to) => deepModel(to, 10 * MIB) };
	for (const [name, make] of Object.entries(made)) {
		if (!fs.existsSync(folder(name))) {
			fs.rmSync(`${folder(name)}.new`, { recursive: true, force: true });
			make(`${folder(name)}.new`);
			fs.renameSync(`${folder(name)}.new`, folder(name));
		}
	}
	return Object.keys(made).map((name) => ({ name, folder: folder(name) }));
}

const encoders = {
	br: (bytes) => zlib.brotliCompressSync(bytes),
	gzip: (bytes) => zlib.gzipSync(bytes, { level: 9 }),
};
export const decoders = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync };
export const suffixes = { br: 'br', gzip: 'gz' };
export const encoded = (coding, bytes) => encoders[coding](bytes);

const small = '/models/small@1';
const json = `${small}/model.json`;
const coded = (coding) => ({ target: '/models/middle@1/model.json', coding,
	headers: { 'Accept-Encoding': coding }, goal: 1.2 });

// A line of it is measured with each number of connections. goal: of the rate, in nginx's; lighttpd: in
// lighttpd's. copy: the client reads the bodies. stream: the rate is that of bytes.
const lines = [
	{ name: 'json-1k', target: json, connections: [1, 16, 128, 1000], goal: 1.2 },
	{ name: 'json-100k', target: '/models/middle@1/model.json', connections: [1, 16, 128, 1000], goal: 1 },
	{ name: 'json-100k-copy', target: '/models/middle@1/model.json', connections: [16], copy: true, goal: 1 },
	{ name: 'json-10m', target: '/models/large@1/model.json', connections: [1, 16], stream: true },
	{ name: 'shard-4m', target: `${small}/4m.bin`, connections: [1, 16, 128], stream: true, goal: 1.5,
		lighttpd: 0.9 },
	{ name: 'shard-4m-copy', target: `${small}/4m.bin`, connections: [16], copy: true, stream: true, goal: 1.5,
		lighttpd: 0.9 },
	{ name: 'shard-64m', target: `${small}/64m.bin`, connections: [1, 16], stream: true, goal: 1.4 },
	{ name: 'shard-64m-copy', target: `${small}/64m.bin`, connections: [4], copy: true, stream: true, goal: 1.4 },
	{ name: 'brotli-100k', ...coded('br'), connections: [16, 128] },
	{ name: 'gzip-100k', ...coded('gzip'), connections: [16] },
	{ name: 'range-64k', target: `${small}/4m.bin`, headers: { Range: 'bytes=1000000-1065535' }, status: 206,
		connections: [16, 128] },
	{ name: 'not-modified', target: json, conditional: true, status: 304, connections: [16, 128], goal: 1 },
	{ name: 'head', target: json, method: 'HEAD', connections: [16, 128], goal: 1 },
	{ name: 'new-connection', target: json, fresh: true, connections: [1, 16, 128], goal: 1 },
	{ name: 'page-browser', page: 'whole', connections: [6], copy: true, stream: true },
	{ name: 'page-node', page: 'whole', connections: [SHARDS], copy: true, stream: true },
];

// One for each number of connections, with its name: json-1k/16.
export const cases = lines.flatMap(({ connections, ...line }) => connections.map((n) => ({ method: 'GET',
	status: 200, headers: {}, ...line, line: line.name, name: `${line.name}/${n}`, connections: n })));

// What a case asks for: its own request, or the files of a model with model.json first.
export function requestsOf(one, root) {
	if (!one.page) {
		return [one];
	}
	const files = fs.readdirSync(path.join(root, 'models', `${one.page}@1`));
	const order = ['model.json', ...files.filter((name) => name.endsWith('.bin'))];
	return order.map((name) => ({ ...one, target: `/models/${one.page}@1/${name}` }));
}
