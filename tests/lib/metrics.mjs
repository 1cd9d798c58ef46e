// SPDX-License-Identifier: Apache-2.0
// Prometheus text exposition format 0.0.4, read strictly: what a scraper may forgive is an error here.

import assert from 'node:assert/strict';

import { get } from './http.mjs';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const TYPES = ['counter', 'gauge', 'histogram'];
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\d+(?:\.\d{6})?)$/;

// Of a histogram, what one of its samples is called without the part of it that it is.
const partOf = (sample) => sample.replace(/_(bucket|sum|count)$/, '');

// Gives Map of sample ("name" or 'name{a="b"}') to BigInt, or to Number where it has a fraction.
export function parseMetrics(text) {
	assert.ok(text.endsWith('\n'), 'the last line has no end');
	const samples = new Map();
	const families = new Map();
	let family;
	for (const line of text.slice(0, -1).split('\n')) {
		const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
		if (kind === 'HELP') {
			assert.match(name, NAME);
			assert.ok(!families.has(name), `${name} stands in two places`);
			assert.doesNotMatch(rest, /\\(?![\\n])/);
			family = { name, samples: 0 };
			families.set(name, family);
		} else if (kind === 'TYPE') {
			assert.equal(name, family?.name, line);
			assert.ok(!family.type && family.samples === 0, line);
			assert.ok(TYPES.includes(rest), line);
			family.type = rest;
		} else {
			const [, sample, labels, value] = SAMPLE.exec(line) ?? assert.fail(`not a sample: ${line}`);
			assert.equal(family?.type === 'histogram' ? partOf(sample) : sample, family?.name, line);
			assert.ok(family.type, `${sample} has no type`);
			assert.equal(family.type === 'counter', sample.endsWith('_total'), sample);
			const key = labels ? `${sample}{${labels}}` : sample;
			assert.ok(!samples.has(key), `${key} stands twice`);
			samples.set(key, value.includes('.') ? Number(value) : BigInt(value));
			family.samples++;
		}
	}
	for (const { name, samples: n } of families.values()) {
		assert.ok(n > 0, `${name} has no sample`);
	}
	return samples;
}

export async function metrics(daemon) {
	const answered = await get(daemon, '/metrics');
	assert.equal(answered.status, 200, answered.text);
	assert.equal(answered.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
	assert.equal(answered.headers['cache-control'], 'no-store');
	return parseMetrics(answered.text);
}

export const metric = async (daemon, name) => Number((await metrics(daemon)).get(name));
