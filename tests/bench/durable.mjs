// SPDX-License-Identifier: Apache-2.0
// What a durable publish takes, beside what the disk itself takes: a part of `./dev bench ingest`.

import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { KIB, MIB } from './material.mjs';
import { Table, figure, times } from './report.mjs';
import { fail, median, output, percentile, ratio, top } from './tools.mjs';

const BOUNDARY = 'a-boundary-that-no-file-has';
const PUBLISHES = 40; // of 4 MiB, in a round
const SYNCS = 200;
const LARGE = 4 * MIB;
const P50_MS = 5;
const TIMES_FSYNC = 10;
const DISK_SHARE = 0.8; // from here on it is the disk that takes the time

const now = () => Number(process.hrtime.bigint()) / 1e6;

// ---- the disk ----

// A file of its own, as a store has to keep it: written, synced, given its name, and the name synced.
function writeDurably(folder, bytes) {
	const name = crypto.randomUUID();
	const file = path.join(folder, name);
	const out = fs.openSync(`${file}.new`, 'w');
	fs.writeSync(out, bytes);
	fs.fdatasyncSync(out);
	fs.closeSync(out);
	fs.renameSync(`${file}.new`, file);
	const directory = fs.openSync(folder, 'r');
	fs.fsyncSync(directory);
	fs.closeSync(directory);
	return file;
}

// Milliseconds of each of some syncs of 4 KiB that were appended.
function syncTimes(folder) {
	const file = path.join(folder, 'appended');
	const out = fs.openSync(file, 'w');
	const block = crypto.randomBytes(4 * KIB);
	const found = Array.from({ length: SYNCS }, () => {
		const start = now();
		fs.writeSync(out, block);
		fs.fdatasyncSync(out);
		return now() - start;
	});
	fs.closeSync(out);
	fs.rmSync(file);
	return found;
}

// ---- publishing ----

const agent = new http.Agent({ keepAlive: true });

function form(files) {
	const parts = files.flatMap(([name, bytes]) => [Buffer.from(`--${BOUNDARY}\r\n`
		+ `Content-Disposition: form-data; name="${name}"; filename="${name}"\r\n\r\n`), bytes, Buffer.from('\r\n')]);
	return Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

function post(port, target, body) {
	const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': body.length };
	return new Promise((resolve, reject) => {
		const call = http.request({ host: '127.0.0.1', port, path: target, method: 'POST', headers, agent }, (response) => {
			response.resume();
			response.on('end', () => resolve(response.statusCode));
		});
		call.on('error', reject);
		call.end(body);
	});
}

// Publishes of 4 MiB, each followed by the disk's own work for as many bytes.
async function publishLarge({ port }, folder) {
	const json = Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ['w.bin'],
		weights: [{ name: 'w', shape: [LARGE / 4], dtype: 'int32' }] }] }));
	const published = [];
	const written = [];
	for (let i = 0; i < PUBLISHES; i++) {
		const bytes = crypto.randomBytes(LARGE);
		const body = form([['model.json', json], ['w.bin', bytes]]);
		let start = now();
		if (await post(port, '/models/large', body) !== 201) {
			fail('a publish of 4 MiB was refused');
		}
		published.push(now() - start);
		start = now();
		const file = writeDurably(folder, bytes);
		written.push(now() - start);
		fs.truncateSync(file); // the next publish should not pay for its removal: see retire()
	}
	return { published, written };
}

// Versions a second, of one small file each, by so many clients.
async function publishSmall({ port }, clients, versions) {
	const program = path.join(top, 'tests/bench/publish.mjs');
	const words = [program, `http://127.0.0.1:${port}`, clients, 1, versions].map(String);
	return Number(await output(process.execPath, words));
}

export async function measure(server, folder, rounds) {
	const found = { published: [], written: [], syncs: [], one: [], sixteen: [], sync_rates: [] };
	for (let round = 0; round < rounds; round++) {
		const { published, written } = await publishLarge(server, folder);
		found.published.push(...published);
		found.written.push(...written);
		found.one.push(await publishSmall(server, 1, 200));
		const syncs = syncTimes(folder);
		found.syncs.push(...syncs);
		found.sync_rates.push(1000 * SYNCS / syncs.reduce((sum, ms) => sum + ms, 0));
		found.sixteen.push(await publishSmall(server, 16, 2000));
	}
	agent.destroy();
	return found;
}

// ---- the report ----

// Gives sentences about the goals that were missed.
export function print({ published, written, syncs, one, sixteen, sync_rates: rates }) {
	const missed = [];
	console.log('\ndurable, milliseconds');
	const table = new Table([['', 36], ['p50', 8], ['p99', 8]]);
	table.head();
	for (const [name, ms] of [['publish of 4 MiB', published], ['4 MiB written, synced, named, synced', written],
		['4 KiB appended and synced', syncs]]) {
		table.row([name, median(ms).toFixed(2), percentile(ms, 0.99).toFixed(2)]);
	}
	const disk = median(written) / median(published);
	if (median(published) >= P50_MS) {
		missed.push(`the p50 of a publish of 4 MiB is ${median(published).toFixed(2)} ms, not below ${P50_MS}`
			+ (disk > DISK_SHARE ? `; the disk alone takes ${times(disk)} of that` : ''));
	}
	console.log('\nsmall publishes a second');
	const small = new Table([['', 36], ['a second', 9], ['x syncs of one client', 22], ['x 1 client', 11]]);
	small.head();
	for (const [name, list] of [['1 client', one], ['16 clients', sixteen], ['syncs of one client', rates]]) {
		small.row([name, figure(median(list)), times(ratio(list, rates)), times(ratio(list, one))]);
	}
	const group = ratio(sixteen, rates);
	if (group < TIMES_FSYNC) {
		missed.push(`16 clients publish ${times(group)} times as often as one client syncs, not ${TIMES_FSYNC}`);
	}
	return missed;
}
