// SPDX-License-Identifier: Apache-2.0
// modeld beside nginx, h2o and lighttpd, as `./dev bench serve` and `./dev bench null` run it; the
// options are told by `./dev bench help`.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { cases, decoders, encoded, makeModels, requestsOf, suffixes } from './cases.mjs';
import { publish } from './material.mjs';
import { places, quietSample, sample } from './measure.mjs';
import { findPeers, headersToAdd, peerNames, startModeld, startPeer } from './peers.mjs';
import { Table, missed, printMeans, summary } from './report.mjs';
import {
	ask, delay, fail, globMatches, machine, main, options, work, writeResult,
} from './tools.mjs';

const given = options({ rounds: 5, seconds: 2, workers: 1, tries: 3, quiet: 0.05, nice: 0, cases: '*',
	peers: peerNames.join(','), shared: false, null: false });
const root = path.join(work, 'root');
const where = places(given);

// ---- the servers ----

// Peers find beside each JSON file what modeld sends coded, or what they would have been given.
async function writeCoded(modeld, models) {
	for (const { name, folder } of models) {
		for (const [coding, suffix] of Object.entries(suffixes)) {
			const plain = fs.readFileSync(path.join(folder, 'model.json'));
			const sent = modeld && await ask(modeld.port, `/models/${name}@1/model.json`,
				{ headers: { 'Accept-Encoding': coding }, keep: true });
			const bytes = sent?.headers['content-encoding'] === coding ? sent.body : encoded(coding, plain);
			fs.writeFileSync(path.join(folder, `model.json.${suffix}`), bytes);
		}
	}
}

// lighttpd compresses by itself and keeps the outcome: it is given the same bytes instead.
async function seedLighttpd(server, models) {
	for (const { name, folder } of models) {
		for (const [coding, suffix] of Object.entries(suffixes)) {
			await ask(server.port, `/models/${name}@1/model.json`, { headers: { 'Accept-Encoding': coding } });
			const kept = path.join(server.home, 'deflate', folder);
			const file = fs.readdirSync(kept).find((one) => one.endsWith(`-${coding}`));
			fs.copyFileSync(path.join(folder, `model.json.${suffix}`), path.join(kept, file));
		}
	}
	await delay(3000); // it looks again at files that it knows after two seconds
}

// modeld codes what was published in the background.
async function isCoded(modeld) {
	for (let tries = 0; tries < 1200; tries++) {
		const { body } = await ask(modeld.port, '/metrics', { keep: true });
		const waiting = /^modeld_precompress_queue_files (\d+)$/m.exec(body.toString());
		if (!waiting || waiting[1] === '0') {
			return;
		}
		await delay(250);
	}
	fail('modeld has not done precompressing after 5 minutes');
}

async function startAll(models) {
	const names = given.null ? ['nginx'] : given.peers.split(',').filter(Boolean);
	await findPeers(names);
	const settings = { workers: given.workers, place: where.server };
	const modeld = given.null ? null : await startModeld(settings);
	for (const { name, folder } of modeld ? models : []) {
		await publish(modeld.port, name, folder, where.client);
	}
	if (modeld) {
		await isCoded(modeld);
	}
	await writeCoded(modeld, models);
	const headers = modeld ? headersToAdd(await ask(modeld.port, '/models/small@1/model.json')) : {};
	const servers = given.null ? [await startPeer('nginx', { ...settings, root, name: 'nginx-again' })] : [modeld];
	for (const name of names) {
		servers.push(await startPeer(name, { ...settings, root, headers }));
	}
	for (const server of servers.filter(({ kind }) => kind === 'lighttpd')) {
		await seedLighttpd(server, models);
	}
	return servers;
}

// ---- the same bytes ----

async function answerOf(server, { method, target, headers, conditional }) {
	const { headers: { etag } } = conditional ? await ask(server.port, target) : { headers: {} };
	const sent = conditional ? { ...headers, 'If-None-Match': etag } : headers;
	return { sent, ...await ask(server.port, target, { method, headers: sent, keep: true }) };
}

function checkAnswer(server, { target, status, coding, method }, answer) {
	const has = `${server.name}: ${target}`;
	if (answer.status !== status) {
		fail(`${has}: the status is ${answer.status}, not ${status}`);
	}
	if (coding && answer.headers['content-encoding'] === undefined) {
		return `${server.name} sends nothing coded`;
	}
	const bodiless = method === 'HEAD' || status === 304;
	if (bodiless ? answer.bytes !== 0 : Number(answer.headers['content-length']) !== answer.bytes) {
		fail(`${has}: ${answer.bytes} bytes came, Content-Length is ${answer.headers['content-length']}`);
	}
	return null;
}

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// What all servers send for one request. Coded bodies have to be equal once they are decoded.
async function verifyRequest(servers, request) {
	const answers = new Map();
	const notes = [];
	let first;
	for (const server of servers) {
		const answer = await answerOf(server, request);
		const note = checkAnswer(server, request, answer);
		if (note) {
			notes.push(note);
			continue;
		}
		const digest = request.coding ? sha256(decoders[request.coding](answer.body)) : answer.sha256;
		const length = Number(answer.headers['content-length'] ?? 0);
		const told = request.coding || request.status === 304 ? 0 : length;
		first ??= { server, digest, told };
		if (first.digest !== digest || first.told !== told) {
			fail(`${server.name} and ${first.server.name} send different bytes for ${request.target}`);
		}
		answers.set(server.name, { sent: answer.sent, length, headBytes: answer.headBytes, fields: answer.fields });
	}
	return { answers, notes };
}

// {plan: server's name -> {requests, headers}, heads, notes} of a case.
async function verify(servers, one) {
	const plan = new Map();
	const heads = {};
	let said = [];
	for (const request of requestsOf(one, root)) {
		const { answers, notes } = await verifyRequest(servers, request);
		for (const [name, { sent, length, headBytes, fields }] of answers) {
			const known = plan.get(name) ?? { requests: [], headers: sent };
			known.requests.push({ method: request.method, target: request.target, status: request.status, length });
			plan.set(name, known);
			heads[name] ??= { bytes: headBytes, fields, length };
		}
		said = notes;
	}
	return { plan, heads, notes: said };
}

function printHeads(servers, checked) {
	console.log('All send the same bytes. Bytes (and fields) of the response heads, and of coded bodies:');
	const table = new Table([['', 16], ...servers.map(({ name }) => [name, 18])]);
	table.head();
	const seen = new Set();
	for (const { one, heads, notes } of checked.filter(({ one: { line } }) => !seen.has(line) && seen.add(line))) {
		table.row([one.line, ...servers.map(({ name }) => (heads[name] ? `${heads[name].bytes} (${heads[name].fields})${
			one.coding ? ` ${heads[name].length}` : ''}` : '-'))]);
		notes.forEach((note) => console.log(`  ${note}`));
	}
	console.log('');
}

// ---- measuring ----

async function measure(servers, one, plan) {
	const taking = servers.filter(({ name }) => plan.has(name));
	const samples = Object.fromEntries(taking.map(({ name }) => [name, []]));
	for (let round = 0; round < given.rounds; round++) {
		for (const server of taking) {
			const { requests, headers } = plan.get(server.name);
			const settings = { connections: one.connections, seconds: given.seconds, copy: Boolean(one.copy),
				fresh: Boolean(one.fresh), page: Boolean(one.page), headers };
			samples[server.name].push(await quietSample(() => sample(server, requests, where, settings), given));
		}
	}
	return samples;
}

function resultName() {
	return [given.null ? 'null' : 'serve', ...(given.workers > 1 ? [`${given.workers}-workers`] : []),
		...(given.shared ? ['shared'] : [])].join('.');
}

function describe(servers) {
	const { processors, cpu, kernel } = machine();
	console.log(`${cpu}, ${processors} processors, ${kernel}`);
	console.log(servers.map(({ kind, version }) => `${kind} ${version}`).join(', '));
	console.log(`${given.workers} worker(s) each, ${where.pinned ?
    `servers on processor ${where.server.cpus}, the client on ${where.client.cpus}` :
		'servers and the client share all processors'}; ${given.rounds} rounds of ${given.seconds} s\n`);
}

main(async () => {
	const chosen = cases.filter(({ name }) => globMatches(given.cases, name));
	if (chosen.length === 0) {
		fail(`no case is called ${given.cases}: ${cases.map(({ name }) => name).join(' ')}`);
	}
	const servers = await startAll(makeModels(root));
	describe(servers);
	const checked = [];
	for (const one of chosen) {
		checked.push({ one, ...await verify(servers, one) });
	}
	printHeads(servers, checked);

	const base = servers.find(({ name }) => name === 'nginx') ?? servers[0];
	const result = { machine: machine(), options: { ...given, pinned: where.pinned },
		servers: servers.map(({ name, kind, version }) => ({ name, kind, version })), base: base.name, cases: [] };
	const table = new Table([['case', 18], ['server', 11], ['rate/s', 10], ['MB/s', 8], [`x ${base.name}`, 8],
		['cpu us', 9], ['x', 6], ['p99 us', 10], ['x', 6], ['client', 7], ['others', 7]]);
	table.head();
	for (const { one, plan, heads, notes } of checked.filter(({ plan: { size } }) => size > 0)) {
		const samples = await measure(servers, one, plan);
		const lines = summary(samples, base.name);
		const misses = given.null ? [] : missed(one, samples, given.workers);
		const { name, connections, goal } = one;
		result.cases.push({ name, connections, goal, heads, notes, missed: misses, summary: lines, samples });
		table.rows(name, lines);
		misses.forEach((text) => console.log(`  missed: ${text}`));
		writeResult(resultName(), result);
	}
	await Promise.all(servers.map((server) => server.stop()));
	result.means = printMeans(result, given.workers);
	console.log(`\nEverything is in ${writeResult(resultName(), result)}.`);
}, given);
