// SPDX-License-Identifier: Apache-2.0
// Tables of `./dev bench serve`, and the goals that it holds modeld to.

import { geometricMean, median, ratio } from './tools.mjs';

// Noise that a ratio may hold before it counts as a miss.
const SLACK = 0.02;
const TWO_WORKERS_MEAN = 1.3;

// columns: [title, width]; the first one, or two, are words and stand left.
export class Table {
	constructor(columns) {
		this.columns = columns;
	}

	#line(cells) {
		const padded = cells.map((cell, i) => (i < 1 ? String(cell).padEnd(this.columns[i][1]) :
			String(cell).padStart(this.columns[i][1])));
		console.log(padded.join(' ').trimEnd());
	}

	head() {
		this.#line(this.columns.map(([title]) => title));
	}

	row(cells) {
		this.#line(cells);
	}

	rows(name, lines) {
		for (const [i, line] of lines.entries()) {
			this.row([i === 0 ? name : '', line.server, figure(line.rate), figure(line.mb_per_s), times(line.rate_ratio),
				figure(line.cpu_us), times(line.cpu_ratio), figure(line.p99_us), times(line.p99_ratio),
				percent(line.client), `${percent(line.strangers)}${line.noisy ? '!' : ''}`]);
		}
	}
}

const percent = (part) => `${Math.round(100 * part)}%`;
export const times = (value) => value.toFixed(2);
export const figure = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const column = (samples, name) => samples.map((one) => one[name]);

// A line for each server; ratios are to the base, of samples that were taken next to each other.
export function summary(samples, base) {
	return Object.entries(samples).map(([server, own]) => {
		const of = (name) => median(column(own, name));
		const to = (name) => (samples[base] ? ratio(column(own, name), column(samples[base], name)) : NaN);
		return { server, rate: of('units_per_s'), mb_per_s: of('mb_per_s'), rate_ratio: to('units_per_s'),
			cpu_us: of('cpu_us'), cpu_ratio: to('cpu_us'), p50_us: of('p50_us'), p99_us: of('p99_us'),
			p99_ratio: to('p99_us'), client: of('client'), strangers: of('strangers'),
			noisy: own.filter(({ quiet }) => !quiet).length };
	});
}

// Sentences about the goals that modeld misses in a case.
export function missed(one, samples, workers) {
	const goal = workers > 1 ? 1 : one.goal;
	const found = [];
	if (!samples.modeld) {
		return found;
	}
	const to = (peer, name) => ratio(column(samples.modeld, name), column(samples[peer], name));
	const below = (value, wanted, text) => value < wanted - SLACK && found.push(text);
	if (samples.nginx && goal) {
		const rate = to('nginx', 'units_per_s');
		const cpu = 1 / to('nginx', 'cpu_us');
		below(rate, goal, `${times(rate)} of nginx's rate, not ${goal}`);
		below(cpu, goal, `nginx takes ${times(cpu)} of its processor time a request, not ${goal}`);
	}
	if (samples.lighttpd && one.lighttpd) {
		const rate = to('lighttpd', 'units_per_s');
		below(rate, one.lighttpd, `${times(rate)} of lighttpd's rate, not ${one.lighttpd}`);
	}
	if (samples.nginx && !one.page) {
		const p99 = to('nginx', 'p99_us');
		below(1 / p99, 1, `p99 is ${times(p99)} of nginx's`);
	}
	return found;
}

// Geometric means over all cases that a server and the base were both measured in.
export function printMeans({ cases, servers, base }, workers) {
	const means = {};
	console.log('\ngeometric means');
	const table = new Table([['server', 18], ['cases', 6], [`rate x ${base}`, 16], ['cpu x', 8], ['p99 x', 8]]);
	table.head();
	for (const { name } of servers) {
		const lines = cases.map(({ summary: all }) => all.find(({ server }) => server === name))
			.filter((line) => line && line.rate_ratio > 0);
		if (lines.length > 0) {
			const mean = (key) => geometricMean(column(lines, key));
			means[name] = { cases: lines.length, rate: mean('rate_ratio'), cpu: mean('cpu_ratio'), p99: mean('p99_ratio') };
			table.row([name, lines.length, times(means[name].rate), times(means[name].cpu), times(means[name].p99)]);
		}
	}
	if (workers > 1 && means.modeld && means.modeld.rate < TWO_WORKERS_MEAN - SLACK) {
		console.log(`  missed: ${times(means.modeld.rate)} of nginx's rate in the mean, not ${TWO_WORKERS_MEAN}`);
	}
	return means;
}
