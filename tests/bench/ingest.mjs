// SPDX-License-Identifier: Apache-2.0
// Uploads to modeld beside nginx's DAV module, which neither hashes, judges nor syncs, beside a Node server
// that hashes, and beside dd: `./dev bench ingest`.

import fs from 'node:fs';
import path from 'node:path';

import * as durable from './durable.mjs';
import { KIB, MIB, freshen, publish, weightsModel } from './material.mjs';
import { places, sample } from './measure.mjs';
import { findPeers, startModeld, startNode, startPeer } from './peers.mjs';
import { Table, figure, times } from './report.mjs';
import {
	ask, busyNs, cpuNs, delay, fail, machine, main, median, options, output, placed, ratio, statusKiB, work, writeResult,
} from './tools.mjs';

const given = options({ rounds: 5, mib: 1024, shared: false, nice: 0 });
const where = places(given);
const home = path.join(work, 'ingest');
const clients = 4;
const shards = 256;
const LOOK_MS = 10;
const OWN_MIB = 32;
const WARM_MS = 300;

// ---- what is uploaded ----

const folders = { whole: 'whole', shards: 'shards' };
const quarter = (i) => `quarter-${i}`;
const folderOf = (name) => path.join(home, name);

function makeFolders() {
	fs.rmSync(home, { recursive: true, force: true });
	const make = (name, bytes, n) => weightsModel(folderOf(name), Array.from({ length: n },
		(_, i) => ({ name: n === 1 ? 'model.weights.bin' : `group1-shard${i + 1}of${n}.bin`, bytes: bytes / n })));
	make(folders.whole, given.mib * MIB, 1);
	make(folders.shards, given.mib * MIB, shards);
	for (let i = 0; i < clients; i++) {
		make(quarter(i), given.mib * MIB / clients, 1);
	}
	make('tiny', 4 * KIB, 1);
}

// The models of so many clients, none of which any store has seen.
function models(n) {
	const names = n === 1 ? [folders.whole] : Array.from({ length: n }, (_, i) => quarter(i));
	names.forEach((name) => freshen(folderOf(name)));
	return names.map(folderOf);
}

// ---- ways to send it ----

async function curl(...words) {
	const [program, ...args] = placed(where.client, ['curl', '-sS', '-w', '\n%{http_code}', ...words]);
	const said = await output(program, args);
	if (!/\n20[0-9]$/.test(said)) {
		fail(`curl ${words.at(-1)}: ${said}`);
	}
}

const put = (port, target, file) => curl('-T', file, `http://127.0.0.1:${port}${target}`);

async function post(port, target, value) {
	const answer = await ask(port, target, { method: 'POST', body: value && JSON.stringify(value), keep: true });
	return answer.status < 300 ? JSON.parse(answer.body) : fail(`POST ${target}: ${answer.body}`);
}

// An upload that is opened, filled file by file and published.
async function putUpload({ port }, folder, i) {
	const { id } = await post(port, '/v1/uploads', { model: `client-${i}` });
	for (const file of fs.readdirSync(folder)) {
		await put(port, `/v1/uploads/${id}/files/${file}`, path.join(folder, file));
	}
	await post(port, `/v1/uploads/${id}:publish`);
}

const sendForm = ({ port }, folder, i) => publish(port, `client-${i}`, folder, where.client);
const weightsOf = (folder) => path.join(folder, 'model.weights.bin');
const putFile = ({ port }, folder, i) => put(port, `/upload/${i}`, weightsOf(folder));

const servers = {
	modeld: () => startModeld({ place: where.server, workers: where.pinned ? 1 : 0 }),
	nginx: () => startPeer('nginx', { root: folderOf('dav'), place: where.server, dav: true }),
	node: () => startNode({ folder: folderOf('node'), place: where.server }),
};

async function dd() {
	const [program, ...words] = placed(where.client, ['dd', `if=${weightsOf(folderOf(folders.whole))}`,
		`of=${folderOf('dd')}`, 'bs=1M', 'conv=fsync', 'status=none']);
	await output(program, words);
}

const ways = [
	{ name: 'modeld multipart', server: 'modeld', send: sendForm },
	{ name: 'modeld multipart x4', server: 'modeld', send: sendForm, clients },
	{ name: `modeld ${shards} shards`, server: 'modeld', send: sendForm, folder: folders.shards },
	{ name: 'modeld PUT', server: 'modeld', send: putUpload },
	{ name: 'modeld PUT x4', server: 'modeld', send: putUpload, clients },
	{ name: 'nginx PUT', server: 'nginx', send: putFile },
	{ name: 'nginx PUT x4', server: 'nginx', send: putFile, clients },
	{ name: 'node PUT', server: 'node', send: putFile },
	{ name: 'node PUT x4', server: 'node', send: putFile, clients },
	{ name: 'node multipart', server: 'node', send: sendForm },
	{ name: 'node multipart x4', server: 'node', send: sendForm, clients },
	{ name: 'dd conv=fsync', send: dd },
];

const seconds = async (work) => {
	const start = process.hrtime.bigint();
	await work();
	return Number(process.hrtime.bigint() - start) / 1e9;
};

async function settle() {
	for (const name of ['dav', 'node', 'dd']) {
		fs.rmSync(folderOf(name), { recursive: true, force: true });
	}
	fs.mkdirSync(folderOf('dav/upload'), { recursive: true });
	fs.mkdirSync(folderOf('node'), { recursive: true });
	await output('sync', ['-f', home]); // what one sample leaves to be written is not the next one's
}

// On a server that has just begun, so that its peak is that of this upload.
async function take({ server: kind, send, clients: n = 1, folder }) {
	await settle();
	const sent = folder ? [folderOf(folder)] : models(n);
	sent.forEach((one) => freshen(one));
	if (!kind) {
		return { mb_per_s: given.mib * MIB / 1e6 / await seconds(send) };
	}
	const server = await servers[kind]();
	await send(server, folderOf('tiny'), 'warm');
	const found = await measured(server, () => Promise.all(sent.map((one, i) => send(server, one, i))));
	await server.stop();
	return { ...found, version: server.version };
}

// Memory of the server's own, at its peak while work goes on, in KiB: looked at often, since the kernel
// keeps the peak of all memory alone, mapped files and all.
async function ownPeak(server, work) {
	let peak = 0;
	const look = () => {
		peak = Math.max(peak, statusKiB(server.pids, 'RssAnon'));
	};
	const looking = setInterval(look, LOOK_MS);
	await work().finally(() => clearInterval(looking));
	look();
	return peak;
}

async function measured(server, work) {
	const idle = { own: statusKiB(server.pids, 'RssAnon'), all: statusKiB(server.pids, 'VmHWM') };
	const before = cpuNs(server.pids);
	const busy = busyNs(where.serverCpus);
	let own;
	const took = await seconds(async () => {
		own = await ownPeak(server, work);
	});
	const cpu = cpuNs(server.pids) - before;
	return { seconds: took, mb_per_s: given.mib * MIB / 1e6 / took, cpu_ms_per_mib: cpu / 1e6 / given.mib,
		own_peak_mib: (own - idle.own) / KIB, peak_mib: (statusKiB(server.pids, 'VmHWM') - idle.all) / KIB,
		// The kernel's writing to the disk is among them.
		strangers: (busyNs(where.serverCpus) - busy - cpu) / 1e9 / took / where.serverCpus.length };
}

async function measureWays() {
	const samples = Object.fromEntries(ways.map(({ name }) => [name, []]));
	for (let round = 0; round < given.rounds; round++) {
		for (const way of ways) {
			samples[way.name].push(await take(way));
		}
	}
	return samples;
}

// ---- reads beside an upload ----

// How long GETs of 1 KiB take while a whole upload runs: modeld and nginx in turn.
async function measureReads() {
	const samples = { modeld: [], nginx: [] };
	const form = path.join(home, 'read');
	weightsModel(form, [{ name: 'model.weights.bin', bytes: 4 * KIB }], KIB);
	for (let round = 0; round < given.rounds; round++) {
		for (const kind of Object.keys(samples)) {
			await settle();
			const server = await servers[kind]();
			const served = path.join(folderOf('dav'), 'models/read@1');
			fs.cpSync(form, served, { recursive: true });
			if (kind === 'modeld') {
				await publish(server.port, 'read', form);
			}
			samples[kind].push(await readsDuring(server, kind === 'modeld' ? putUpload : putFile));
			await server.stop();
		}
	}
	return samples;
}

// The reader begins before the upload, with requests that do not count, and is told to stop when that has
// ended.
async function readsDuring(server, send) {
	const [folder] = models(1);
	const request = { method: 'GET', target: '/models/read@1/model.json', status: 200, length: KIB };
	const controller = new AbortController();
	const reading = sample(server, [request], where, { connections: 16, until: controller.signal, warm: WARM_MS / 1000 });
	await delay(WARM_MS);
	const took = await seconds(() => send(server, folder, 0));
	controller.abort();
	const { rate, p50_us, p99_us, max_us, strangers } = await reading;
	return { rate, p50_us, p99_us, max_us, strangers, mb_per_s: given.mib * MIB / 1e6 / took };
}

// ---- the report ----

const column = (list, name) => list.map((one) => one[name]);

function printWays(samples) {
	const to = (name, other) => ratio(column(samples[name], 'mb_per_s'), column(samples[other], 'mb_per_s'));
	const table = new Table([[`${given.mib} MiB`, 20], ['MB/s', 7], ['x nginx', 8], ['x node', 7], ['x dd', 6],
		['cpu ms/MiB', 11], ['own MiB', 8], ['with files', 11],
		['others', 7]]);
	table.head();
	return ways.map(({ name, server, clients: n = 1, send }) => {
		const own = samples[name];
		const four = n > 1 ? ` x${n}` : '';
		const of = (key) => (server ? median(column(own, key)) : NaN);
		const line = { name, mb_per_s: median(column(own, 'mb_per_s')), to_nginx: to(name, `nginx PUT${four}`),
			to_node: to(name, `node ${send === sendForm ? 'multipart' : 'PUT'}${four}`), to_dd: to(name, 'dd conv=fsync'),
			cpu_ms_per_mib: of('cpu_ms_per_mib'), own_peak_mib: of('own_peak_mib'),
			peak_mib: of('peak_mib'), strangers: of('strangers') };
		table.row([name, figure(line.mb_per_s), times(line.to_nginx), times(line.to_node), times(line.to_dd),
			...(server ? [line.cpu_ms_per_mib.toFixed(2), line.own_peak_mib.toFixed(1),
				line.peak_mib.toFixed(1), `${Math.round(100 * line.strangers)}%`] : ['-', '-', '-', '-'])]);
		return line;
	});
}

function missedWays(samples, lines) {
	const line = (name) => lines.find((one) => one.name === name);
	const wanted = where.pinned ? 0.6 : 0.8;
	const found = [];
	for (const four of ['', ` x${clients}`]) {
		const { to_nginx, to_node } = line(`modeld PUT${four}`);
		const forms = ratio(column(samples[`modeld multipart${four}`], 'mb_per_s'),
			column(samples[`modeld PUT${four}`], 'mb_per_s'));
		const check = (ok, text) => ok || found.push(`PUT${four}: ${text}`);
		check(to_nginx >= wanted, `${times(to_nginx)} of nginx's, not ${wanted}`);
		check(to_node >= 1.8, `${times(to_node)} of the Node server's, not 1.8`);
		check(forms >= 0.9, `multipart reaches ${times(forms)} of it, not 0.9`);
	}
	for (const { name, own_peak_mib: own } of lines.filter((one) => one.name.startsWith('modeld'))) {
		if (own >= OWN_MIB) {
			found.push(`${name}: ${own.toFixed(1)} MiB of its own above idle, not less than ${OWN_MIB}`);
		}
	}
	return found;
}

function printReads(samples) {
	console.log(`
GETs of 1 KiB by 16 connections while one upload of ${given.mib} MiB runs`);
	const table = new Table([['', 8], ['GET/s', 8], ['p50 us', 8], ['p99 us', 8], ['max us', 9], ['upload MB/s', 12]]);
	table.head();
	const lines = Object.entries(samples).map(([name, own]) => ({ name,
		...Object.fromEntries(Object.keys(own[0]).map((key) => [key, median(column(own, key))])) }));
	for (const one of lines) {
		table.row([one.name, figure(one.rate), figure(one.p50_us), figure(one.p99_us), figure(one.max_us),
			figure(one.mb_per_s)]);
	}
	const { p99_us: p99 } = lines.find(({ name }) => name === 'modeld');
	return { lines, missed: p99 < 2000 ? [] : [`p99 of reads during an upload is ${figure(p99)} us, not below 2000`] };
}

main(async () => {
	await findPeers(['nginx']);
	makeFolders();
	console.log(`${given.rounds} rounds, ${where.pinned ? `servers on processor ${where.server.cpus}, clients on ${
		where.client.cpus}` : 'servers and clients share all processors'}
`);
	const result = { machine: machine(), options: { ...given, pinned: where.pinned }, missed: [] };
	const say = (missed) => {
		missed.forEach((text) => console.log(`  missed: ${text}`));
		result.missed.push(...missed);
		writeResult('ingest', result);
	};
	result.uploads = { samples: await measureWays() };
	result.uploads.summary = printWays(result.uploads.samples);
	say(missedWays(result.uploads.samples, result.uploads.summary));
	result.reads = { samples: await measureReads() };
	const { lines, missed } = printReads(result.reads.samples);
	result.reads.summary = lines;
	say(missed);
	await settle();
	const server = await servers.modeld();
	result.durable = await durable.measure(server, home, given.rounds);
	await server.stop();
	say(durable.print(result.durable));
	fs.rmSync(home, { recursive: true, force: true });
	console.log(`
Everything is in ${writeResult('ingest', result)}.`);
}, given);
