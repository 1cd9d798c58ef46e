// SPDX-License-Identifier: Apache-2.0
// Importing from nginx beside `curl --parallel` and aria2c, which only download, and of which neither hashes,
// judges nor syncs: `./dev bench import`.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { findPrograms, environment, program } from '../lib/packages.mjs';
import { KIB, MIB, weightsModel } from './material.mjs';
import { findPeers, startModeld, startPeer } from './peers.mjs';
import { Table, figure, times } from './report.mjs';
import { fail, machine, main, median, options, output, ratio, retire, statusKiB, work, writeResult } from './tools.mjs';

const given = options({ rounds: 5, nice: 0 });
const home = path.join(work, 'import');
const CONNECTIONS = 8;
const GOAL = 1.2;
const LOOK_MS = 10;
const TICKS = 100; // a second, in /proc/PID/stat

const cases = [{ name: '64 x 4 MiB', shards: 64, bytes: 4 * MIB, goal: GOAL },
	{ name: '8 x 64 MiB', shards: 8, bytes: 64 * MIB }];
const folderOf = ({ shards }) => path.join(home, `shards-${shards}`);
const totalOf = ({ shards, bytes }) => shards * bytes;
const filesOf = (one) => fs.readdirSync(folderOf(one));

// ---- ways to get it ----

const seconds = async (todo) => {
	const start = process.hrtime.bigint();
	await todo();
	return Number(process.hrtime.bigint() - start) / 1e9;
};

// The last line of the stream of an import.
function streamed(port, url) {
	return new Promise((resolve, reject) => {
		const call = http.request({ host: '127.0.0.1', port, path: '/v1/models/bench:import', method: 'POST', agent: false,
			headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' } }, (response) => {
			let text = '';
			response.on('data', (piece) => { text += piece; });
			response.on('end', () => resolve(JSON.parse(text.trim().split('\n').at(-1))));
			response.on('error', reject);
		});
		call.on('error', reject);
		call.end(JSON.stringify({ url }));
	});
}

// Memory of the server's own, at its peak, above what it was.
async function ownPeak(server, todo) {
	const idle = statusKiB(server.pids, 'RssAnon');
	let peak = idle;
	const looking = setInterval(() => { peak = Math.max(peak, statusKiB(server.pids, 'RssAnon')); }, LOOK_MS);
	await todo().finally(() => clearInterval(looking));
	return (peak - idle) / KIB;
}

// Of all their threads, those of transfers too, which end with the import.
function cpuSeconds(pids) {
	return pids.reduce((sum, pid) => {
		const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
		return sum + (Number(fields[11]) + Number(fields[12])) / TICKS;
	}, 0);
}

// Into a store that is new, so that nothing is known.
async function modeld(one, base) {
	const server = await startModeld({ workers: 0, set: { 'import.allow': '127.0.0.1', 'import.transfers': CONNECTIONS,
		'import.transfers_per_host': CONNECTIONS, 'store.precompress_rate': 0 } });
	const before = cpuSeconds(server.pids);
	let job;
	let own;
	const took = await seconds(async () => {
		own = await ownPeak(server, async () => { job = await streamed(server.port, `${base}/model.json`); });
	});
	const cpu = cpuSeconds(server.pids) - before;
	if (job.state !== 'done') {
		fail(`the import failed: ${JSON.stringify(job)}`);
	}
	await server.stop();
	return { seconds: took, cpu_s: cpu, own_peak_mib: own };
}

function into(name) {
	const dir = path.join(home, name);
	fs.mkdirSync(dir);
	return dir;
}

// That what a downloader says it got is there.
function checked(one, dir) {
	const found = fs.readdirSync(dir).reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0);
	const wanted = filesOf(one).reduce((sum, name) => sum + fs.statSync(path.join(folderOf(one), name)).size, 0);
	if (found !== wanted) {
		fail(`${found} bytes came in ${dir}, not ${wanted}`);
	}
}

async function curl(one, base) {
	const dir = into('curl');
	const list = path.join(home, 'curl.list');
	fs.writeFileSync(list, filesOf(one).map((name) => `url = "${base}/${name}"\noutput = "${dir}/${name}"\n`).join(''));
	const words = ['-sS', '--fail', '--parallel', '--parallel-max', String(CONNECTIONS), '-K', list];
	const took = await seconds(() => output('curl', words));
	checked(one, dir);
	return { seconds: took };
}

async function aria2c(one, base) {
	const dir = into('aria2c');
	const list = path.join(home, 'aria2c.list');
	fs.writeFileSync(list, filesOf(one).map((name) => `${base}/${name}\n`).join(''));
	const words = ['--no-conf', '--quiet', '--file-allocation=none', '-j', String(CONNECTIONS), '-x', '1', '-d', dir, '-i', list];
	const took = await seconds(() => output(program('aria2c'), words, { env: { ...process.env, ...environment() } }));
	checked(one, dir);
	return { seconds: took };
}

const ways = { 'modeld': modeld, 'curl --parallel': curl, 'aria2c': aria2c };

// ---- the report ----

async function settle() {
	['curl', 'aria2c'].forEach((name) => retire(path.join(home, name)));
	await output('sync', ['-f', home]); // what one sample leaves to be written is not the next one's
}

async function measure(one, port) {
	const samples = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
	const base = `http://127.0.0.1:${port}/shards-${one.shards}`;
	for (let round = 0; round < given.rounds; round++) {
		for (const [name, way] of Object.entries(ways)) {
			await settle();
			samples[name].push(await way(one, base));
		}
	}
	return samples;
}

function print(one, samples) {
	const column = (name, key) => samples[name].map((sample) => sample[key]);
	const rate = (name) => totalOf(one) / 1e6 / median(column(name, 'seconds'));
	const faster = (name, than) => ratio(column(than, 'seconds'), column(name, 'seconds'));
	const table = new Table([[one.name, 16], ['seconds', 8], ['MB/s', 6], ['x curl', 7], ['x aria2c', 9], ['cpu s', 7],
		['own MiB', 8]]);
	table.head();
	for (const name of Object.keys(ways)) {
		const own = ['cpu_s', 'own_peak_mib'].map((key) => (name === 'modeld' ? median(column(name, key)).toFixed(2) : '-'));
		table.row([name, median(column(name, 'seconds')).toFixed(2), figure(rate(name)), times(faster(name, 'curl --parallel')),
			times(faster(name, 'aria2c')), ...own]);
	}
	const reached = faster('modeld', 'curl --parallel');
	return one.goal && reached < one.goal ? [`${one.name}: ${times(reached)} of curl --parallel, not ${one.goal}`] : [];
}

main(async () => {
	await findPeers(['nginx']);
	await findPrograms('aria2c').catch((error) => fail(error.message));
	fs.rmSync(home, { recursive: true, force: true });
	for (const one of cases) {
		weightsModel(folderOf(one), Array.from({ length: one.shards },
			(_, i) => ({ name: `group1-shard${i + 1}of${one.shards}.bin`, bytes: one.bytes })));
	}
	const nginx = await startPeer('nginx', { root: home });
	const result = { machine: machine(), options: given, missed: [], versions: { nginx: nginx.version,
		curl: (await output('curl', ['--version'])).split('\n')[0] }, cases: {} };
	console.log(`${given.rounds} rounds, ${CONNECTIONS} connections, all on the same processors\n`);
	for (const one of cases) {
		result.cases[one.name] = await measure(one, nginx.port);
		const missed = print(one, result.cases[one.name]);
		missed.forEach((text) => console.log(`  missed: ${text}`));
		result.missed.push(...missed);
		console.log();
	}
	await nginx.stop();
	fs.rmSync(home, { recursive: true, force: true });
	console.log(`Everything is in ${writeResult('import', result)}.`);
}, given);
