// SPDX-License-Identifier: Apache-2.0
// The same small answer under conditions that should not matter, and a large one from a cold disk:
// conditions.mjs connections|catalog|cold, as `./dev bench` runs it.

import fs from 'node:fs';
import path from 'node:path';

import { KIB, MIB, publish, weightsModel } from './material.mjs';
import { places, quietSample, sample, settled } from './measure.mjs';
import { DESCRIPTORS, findPeers, startModeld, startPeer } from './peers.mjs';
import { Table, figure, times } from './report.mjs';
import {
	fail, machine, main, median, options, output, placed, ratio, top, work, writeResult,
} from './tools.mjs';

const given = options({ rounds: 5, seconds: 2, tries: 3, quiet: 0.05, nice: 0, shared: false });
const where = places(given);
const IDLE = 10000;
const MARGIN = 3000; // of descriptors, since a server keeps some for files
const IDLE_MIB = 200;
const VERSIONS = 1000000;
const SHARD = 64 * MIB;
// How far a figure may be off before it counts as an effect.
const RATE = 0.95;
const LATENCY = 1.1;
const COLD = 1.1;
const GETS = 4; // of a round, since one takes no time

const root = path.join(work, 'conditions');
const folder = path.join(root, 'models/small@1');
const request = { method: 'GET', target: '/models/small@1/model.json', status: 200, length: KIB };

const column = (samples, name) => samples.map((one) => one[name]);
const settings = { place: where.server };
const patient = { 'http.timeout': '10min' };

const take = (server, more = {}) => quietSample(() =>
	sample(server, [request], where, { connections: 16, seconds: given.seconds, ...more }), given);

// A B A B ...: {name: samples} of {name: a function that gives one}.
async function alternate(takers, rounds = given.rounds) {
	const samples = Object.fromEntries(Object.keys(takers).map((name) => [name, []]));
	for (let round = 0; round < rounds; round++) {
		for (const [name, one] of Object.entries(takers)) {
			samples[name].push(await one());
		}
	}
	return samples;
}

// Sentences about what a condition changed, from samples with it and without.
function effects(name, without) {
	const rate = ratio(column(name, 'rate'), column(without, 'rate'));
	const p99 = ratio(column(name, 'p99_us'), column(without, 'p99_us'));
	return [...(rate < RATE ? [`the rate falls to ${times(rate)}`] : []),
		...(p99 > LATENCY ? [`p99 rises to ${times(p99)}`] : [])];
}

function printRates(samples, base) {
	const table = new Table([['', 26], ['rate/s', 9], ['x', 6], ['p99 us', 9], ['x', 6], ['cpu us', 8], ['RSS MiB', 9],
		['others', 7]]);
	table.head();
	for (const [name, own] of Object.entries(samples)) {
		const of = (key) => median(column(own, key));
		const to = (key) => times(ratio(column(own, key), column(samples[base(name)], key)));
		table.row([name, figure(of('rate')), to('rate'), figure(of('p99_us')), to('p99_us'), figure(of('cpu_us')),
			(of('rss_kib') / KIB).toFixed(1), `${Math.round(100 * of('strangers'))}%`]);
	}
}

// ---- connections that rest ----

async function connections() {
	if (DESCRIPTORS < IDLE + MARGIN) {
		fail(`a process may open ${DESCRIPTORS} files here (ulimit -n), which is too few for ${IDLE} connections`);
	}
	await findPeers(['nginx']);
	const modeld = await startModeld({ ...settings, set: patient });
	await publish(modeld.port, 'small', folder);
	const nginx = await startPeer('nginx', { ...settings, root });
	const samples = await alternate({
		'modeld': () => take(modeld), [`modeld, ${IDLE} idle`]: () => take(modeld, { idle: IDLE }),
		'nginx': () => take(nginx), [`nginx, ${IDLE} idle`]: () => take(nginx, { idle: IDLE }),
	});
	await Promise.all([modeld.stop(), nginx.stop()]);
	console.log(`GETs of 1 KiB by 16 connections, beside ${IDLE} that rest and without`);
	printRates(samples, (name) => name.split(',')[0]);
	const idle = samples[`modeld, ${IDLE} idle`];
	const missed = effects(idle, samples.modeld);
	const rss = median(column(idle, 'rss_kib')) / KIB;
	if (rss >= IDLE_MIB) {
		missed.push(`${rss.toFixed(1)} MiB resident, not less than ${IDLE_MIB}`);
	}
	return { samples, missed };
}

// ---- a large catalog ----

// The store that `./dev bench scale` seeds. It has no files, so nothing may look for them.
async function largeStore() {
	const store = path.join(work, `scale.${VERSIONS}`);
	if (!fs.existsSync(path.join(store, 'seeded'))) {
		fs.rmSync(store, { recursive: true, force: true });
		console.log(`bench: seeding a catalog of ${VERSIONS} versions`);
		await output(path.join(top, 'build/dev/tests/bench/bench_scale'), ['seed', store, String(VERSIONS)]);
		fs.writeFileSync(path.join(store, 'seeded'), '');
	}
	return store;
}

async function catalog() {
	const set = { 'store.scrub_rate': 0, 'store.precompress_rate': 0, 'store.gc_interval': 0, 'retention.interval': 0 };
	const servers = { small: await startModeld({ ...settings, set }),
		large: await startModeld({ ...settings, name: 'modeld-large', store: await largeStore(), set }) };
	for (const server of Object.values(servers)) {
		await publish(server.port, 'small', folder);
		await settled(server);
	}
	const large = `${VERSIONS} versions`;
	const samples = await alternate({ '1 version': () => take(servers.small), [large]: () => take(servers.large) });
	await Promise.all(Object.values(servers).map((server) => server.stop()));
	console.log('GETs of 1 KiB by 16 connections, by the size of the catalog');
	printRates(samples, () => '1 version');
	return { samples, missed: effects(samples[large], samples['1 version']) };
}

// ---- a cold cache ----

const files = (under) => fs.readdirSync(under, { withFileTypes: true }).flatMap((entry) =>
	(entry.isDirectory() ? files(path.join(under, entry.name)) : [path.join(under, entry.name)]));

async function evict(file) {
	await output('sync', [file]);
	await output('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
	const left = Number(await output('fincore', ['-b', '-n', '-o', 'RES', file]));
	if (left > SHARD / 100) {
		fail(`${left} bytes of ${file} stay in memory: what was read from it would not be cold`);
	}
}

// Milliseconds of one GET. The server is new, since a file that it has mapped stays in memory.
async function coldGet(start, file) {
	const server = await start();
	await evict(file());
	const [program, ...words] = placed(where.client, ['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code} %{time_total}',
		`http://127.0.0.1:${server.port}/models/cold@1/64m.bin`]);
	const [status, seconds] = (await output(program, words)).split(' ');
	await server.stop();
	return status === '200' ? Number(seconds) * 1000 : fail(`${server.name} answered ${status}`);
}

async function cold() {
	await findPeers(['nginx']);
	const served = path.join(root, 'models/cold@1');
	weightsModel(served, [{ name: '64m.bin', bytes: SHARD }]);
	const store = path.join(root, 'store');
	const set = { 'store.scrub_rate': 0, 'store.precompress_rate': 0 }; // which read files
	const modeld = () => startModeld({ ...settings, store, set });
	const first = await modeld();
	await publish(first.port, 'cold', served);
	await first.stop();
	const blob = files(path.join(store, 'blobs')).find((file) => fs.statSync(file).size === SHARD);
	const samples = await alternate({ modeld: () => coldGet(modeld, () => blob),
		nginx: () => coldGet(() => startPeer('nginx', { ...settings, root }), () => path.join(served, '64m.bin')) },
	given.rounds * GETS);
	console.log('a shard of 64 MiB that is on the disk alone');
	const table = new Table([['', 10], ['ms', 8], ['MB/s', 8], ['x nginx', 8]]);
	table.head();
	for (const [name, ms] of Object.entries(samples)) {
		table.row([name, figure(median(ms)), figure(SHARD / 1000 / median(ms)), times(ratio(ms, samples.nginx))]);
	}
	const slower = ratio(samples.modeld, samples.nginx);
	return { samples, missed: slower > COLD ? [`it takes ${times(slower)} of nginx's time, not ${COLD}`] : [] };
}

main(async () => {
	const name = process.argv[2];
	fs.rmSync(root, { recursive: true, force: true });
	weightsModel(folder, [{ name: 'w.bin', bytes: 4 * KIB }], KIB);
	const { samples, missed } = await ({ connections, catalog, cold }[name] ?? fail(`there is no ${name}`))();
	missed.forEach((text) => console.log(`  missed: ${text}`));
	fs.rmSync(root, { recursive: true, force: true });
	const options = { ...given, pinned: where.pinned };
	console.log(`\nEverything is in ${writeResult(name, { machine: machine(), options, missed, samples })}.`);
}, given);
