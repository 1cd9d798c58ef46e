// SPDX-License-Identifier: Apache-2.0
// modelctl push beside curl -T of the same bytes into an upload that is then published: `./dev bench push`.
// What push does besides is what lint does, judging and hashing; it is measured too.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { KIB, MIB, freshen, weightsModel } from './material.mjs';
import { places } from './measure.mjs';
import { startModeld } from './peers.mjs';
import { Table, figure, times } from './report.mjs';
import {
	ask, fail, machine, main, median, options, output, placed, ratio, statusKiB, top, work, writeResult,
} from './tools.mjs';

const given = options({ rounds: 5, mib: 1024, shared: false, nice: 0 });
const where = places(given);
const home = path.join(work, 'push');
const client = process.env.MODELCTL ?? path.join(top, 'build/dev/modelctl');
const LOOK_MS = 5;

const shapes = { 'one file': 1, '256 shards': 256 };
const folderOf = (shape) => path.join(home, shape.replace(' ', '-'));

function makeFolders() {
	fs.rmSync(home, { recursive: true, force: true });
	for (const [shape, n] of Object.entries(shapes)) {
		weightsModel(folderOf(shape), Array.from({ length: n }, (_, i) =>
			({ name: n === 1 ? 'model.weights.bin' : `group1-shard${i + 1}of${n}.bin`, bytes: given.mib * MIB / n })));
	}
}

// ---- ways to send it ----

// {seconds, cpu_s, peak_mib} of one process on the client's processors, by the shell's own clock.
async function timed(words, env = {}) {
	const [program, ...args] = placed(where.client, ['bash', '-c', 'TIMEFORMAT="timed %R %U %S"; time "$@"', 'bash', ...words]);
	const child = spawn(program, args, { cwd: home, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
	let said = '';
	let peak = 0;
	const look = setInterval(() => {
		try {
			const [pid] = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ').filter(Boolean);
			peak = Math.max(peak, pid ? statusKiB([pid], 'VmHWM') : 0);
		} catch {
			// It has just begun, or has just ended.
		}
	}, LOOK_MS);
	child.stderr.on('data', (bytes) => (said += bytes));
	const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
	clearInterval(look);
	const found = /^timed (\S+) (\S+) (\S+)$/m.exec(said);
	if (code !== 0 || !found) {
		fail(`${words.join(' ')}: ${said}`);
	}
	const [seconds, user, system] = found.slice(1).map(Number);
	return { seconds, cpu_s: user + system, peak_mib: peak / KIB };
}

const clientEnv = () => ({ HOME: home, XDG_STATE_HOME: path.join(home, 'state'), XDG_CONFIG_HOME: path.join(home, 'config') });
const push = ({ port }, folder) => timed([client, 'push', '-q', '-s', `http://127.0.0.1:${port}`, folder, 'm'], clientEnv());
const lint = (server, folder) => timed([client, 'lint', '-q', folder], clientEnv());

async function post(port, target, value) {
	const answer = await ask(port, target, { method: 'POST', body: value && JSON.stringify(value), keep: true });
	return answer.status < 300 ? JSON.parse(answer.body) : fail(`POST ${target}: ${answer.body}`);
}

// All files by one curl, `parallel` at a time; then they become a version, which push waits for as well.
async function curl({ port }, folder, parallel) {
	const start = process.hrtime.bigint();
	const { id } = await post(port, '/v1/uploads', { model: 'm' });
	const files = fs.readdirSync(folder);
	const each = files.flatMap((file) => ['-T', path.join(folder, file), `http://127.0.0.1:${port}/v1/uploads/${id}/files/${file}`]);
	const sent = await timed(['curl', '-fsS', ...(parallel > 1 ? ['-Z', '--parallel-max', String(parallel)] : []), ...each]);
	await post(port, `/v1/uploads/${id}:publish`);
	return { ...sent, seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

const ways = {
	'modelctl push': push,
	'curl -T': (server, folder) => curl(server, folder, 1),
	'curl -T -Z': (server, folder) => curl(server, folder, 4),
	'modelctl lint': lint,
};

// New bytes and a new store each time: what is known is not sent.
async function take(way, shape) {
	const folder = folderOf(shape);
	freshen(folder);
	await output('sync', ['-f', home]);
	const server = await startModeld({ place: where.server, workers: where.pinned ? 1 : 0 });
	const found = await ways[way](server, folder);
	await server.stop();
	return found;
}

// ---- telling ----

const column = (samples, name) => samples.map((one) => one[name]);

// What curl and the judging take one after the other, of neighbours.
const both = (samples, name) => samples['curl -T'].map((one, i) => one[name] + samples['modelctl lint'][i][name]);

function print(shape, samples) {
	const table = new Table([[shape, 16], ['seconds', 9], ['MB/s', 8], ['x curl -T', 10], ['CPU s', 8], ['x curl -T', 10], ['peak MiB', 9]]);
	table.head();
	for (const [way, own] of Object.entries(samples)) {
		const to = (name) => times(ratio(column(own, name), column(samples['curl -T'], name)));
		const seconds = median(column(own, 'seconds'));
		table.row([way, figure(seconds), figure(given.mib * MIB / 1e6 / seconds), to('seconds'),
			figure(median(column(own, 'cpu_s'))), to('cpu_s'), figure(Math.max(...column(own, 'peak_mib')))]);
	}
	const wall = ratio(column(samples['modelctl push'], 'seconds'), both(samples, 'seconds'));
	const cpu = ratio(column(samples['modelctl push'], 'cpu_s'), both(samples, 'cpu_s'));
	console.log(`push takes ${times(wall)} of the time, and ${times(cpu)} of the processor time, of lint and curl -T\n`);
	return { seconds_to_both: wall, cpu_to_both: cpu };
}

await main(async () => {
	makeFolders();
	const result = { machine: machine(), options: given, shapes: {} };
	for (const shape of Object.keys(shapes)) {
		const samples = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
		for (let round = 0; round < given.rounds; round++) {
			for (const way of Object.keys(ways)) {
				samples[way].push(await take(way, shape));
			}
		}
		result.shapes[shape] = { samples, ...print(shape, samples) };
	}
	writeResult('push', result);
	fs.rmSync(home, { recursive: true, force: true });
}, given);
