// SPDX-License-Identifier: Apache-2.0
// The models that the benches publish and serve.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { layersModel } from './model_json.mjs';
import { fail, output, placed, work } from './tools.mjs';

export const KIB = 1024;
export const MIB = 1024 * KIB;

const filled = (json, bytes) => {
	const empty = JSON.stringify({ ...json, userDefinedMetadata: { note: '' } });
	const note = ' '.repeat(bytes - Buffer.byteLength(empty));
	return JSON.stringify({ ...json, userDefinedMetadata: { note } });
};

// Random numbers of 0 to 1, as weights may be: they do not compress, and none is NaN.
function writeFloats(file, bytes) {
	const out = fs.openSync(file, 'w');
	for (let done = 0; done < bytes; done += MIB) {
		const piece = crypto.randomBytes(Math.min(MIB, bytes - done));
		for (let i = 3; i < piece.length; i += 4) {
			piece[i] = 0x3e; // little-endian: sign and exponent
		}
		fs.writeSync(out, piece);
	}
	fs.closeSync(out);
}

// A model of weights alone, a shard of each size; its JSON is of so many bytes.
export function weightsModel(folder, shards, jsonBytes) {
	fs.mkdirSync(folder, { recursive: true });
	const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
	for (const { name, bytes } of shards) {
		writeFloats(path.join(folder, name), bytes);
	}
	const json = { weightsManifest: [{ paths: shards.map(({ name }) => name),
		weights: [{ name: 'w', shape: [total / 4], dtype: 'float32' }] }] };
	fs.writeFileSync(path.join(folder, 'model.json'), jsonBytes ? filled(json, jsonBytes) : JSON.stringify(json));
}

// A model as tf.layers saves it, with as many blocks of a residual network as its JSON has room for.
export function deepModel(folder, jsonBytes) {
	fs.mkdirSync(folder, { recursive: true });
	const size = (blocks) => Buffer.byteLength(JSON.stringify(layersModel(blocks).json));
	let blocks = Math.floor(jsonBytes / (size(101) - size(100)));
	while (size(blocks) > jsonBytes - 100) {
		blocks--;
	}
	const { json } = layersModel(blocks);
	const [{ paths: [name], weights }] = json.weightsManifest;
	const floats = weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
	writeFloats(path.join(folder, name), floats * 4);
	fs.writeFileSync(path.join(folder, 'model.json'), filled(json, jsonBytes));
}

// Makes other weights of those in a folder: known ones would be stored once.
export function freshen(folder) {
	for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.bin'))) {
		const out = fs.openSync(path.join(folder, file), 'r+');
		for (let i = 0; i < 4; i++) {
			fs.writeSync(out, crypto.randomBytes(3), 0, 3, 4 * i); // all but sign and exponent
		}
		fs.closeSync(out);
	}
}

// Publishes what is in a folder, as curl would; gives the seconds it took.
export async function publish(port, name, folder, place = {}) {
	const answer = path.join(work, `answer-${name}`);
	const form = fs.readdirSync(folder).filter((file) => !/\.(br|gz)$/.test(file))
		.flatMap((file) => ['-F', `${file}=@${path.join(folder, file)}`]);
	const [program, ...words] = placed(place, ['curl', '-sS', '-o', answer, '-w', '%{http_code} %{time_total}',
		...form, `http://127.0.0.1:${port}/models/${name}`]);
	const said = await output(program, words);
	const [status, seconds] = said.split(' ');
	const text = fs.readFileSync(answer, 'utf8');
	fs.rmSync(answer);
	return /^20[01]$/.test(status) ? Number(seconds) : fail(`publishing ${name} was refused: ${text.slice(0, 2000)}`);
}
