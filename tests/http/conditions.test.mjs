// SPDX-License-Identifier: Apache-2.0
// RFC 9110 13 and 14 on the data plane: every pairing of conditions, and of ranges with conditions, against the
// order that 13.2.2 gives.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { assertOpenToPages, assertQuietError, get, head, published, request } from '../lib/http.mjs';
import { denseModel, shardsOf } from '../lib/models.mjs';

const SECOND = 1000;
const model = denseModel({ inputs: 30, units: 4 });
const [{ path: shard, bytes }] = shardsOf(model);
const whole = Buffer.from(bytes);

const later = (date, s) => new Date(Date.parse(date) + s * SECOND).toUTCString();
// 5.6.7: the two obsolete forms of a date, which a recipient has to read.
const rfc850 = (date) => {
	const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (.*) GMT$/.exec(date);
	const weekday = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'][new Date(date).getUTCDay()];
	return `${weekday}, ${day}-${month}-${year.slice(2)} ${time} GMT`;
};
const asctime = (date) => {
	const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (.*) GMT$/.exec(date);
	return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
};

// What each field may say: [words, value, verdict]. Of a list of tags the verdict is whether it matches,
// strongly and weakly (8.8.3.2); of a date, whether the representation is newer; undefined: not readable.
const tagLists = (etag) => [
	['absent'],
	['the tag', etag, { strong: true, weak: true }],
	['the tag in a list', `"a", ${etag},, W/"b"`, { strong: true, weak: true }],
	['the tag in a list, weak', `"a",W/${etag}`, { strong: false, weak: true }],
	['another tag', '"other"', { strong: false, weak: false }],
	['any', '*', { strong: true, weak: true }],
	['no list of tags', `${etag.slice(1, -1)}`, { strong: false, weak: false }],
	['a list with rubbish behind the tag', `${etag} x`, { strong: false, weak: false }],
];
const dates = (modified) => [
	['absent'],
	['the date', modified, { newer: false }],
	['a second earlier', later(modified, -1), { newer: true }],
	['a year later', later(modified, 365 * 86400), { newer: false }],
	['the date as RFC 850 had it', rfc850(modified), { newer: false }],
	['an earlier date as asctime() has it', asctime(later(modified, -60)), { newer: true }],
	['no date', 'yesterday', undefined],
];

// 13.2.2, steps 1 to 4.
function judge({ ifMatch, ifUnmodified, ifNoneMatch, ifModified }) {
	if (ifMatch ? !ifMatch.strong : ifUnmodified?.newer) {
		return 412;
	}
	if (ifNoneMatch) {
		return ifNoneMatch.weak ? 304 : 200;
	}
	return ifModified && !ifModified.newer ? 304 : 200;
}

describe('conditions and ranges', () => {
	const daemon = useDaemon();
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const pinned = `/models/team/m@1/${shard}`;
	const moving = `/models/team/m@latest/${shard}`;
	let etag;
	let modified;

	before(async () => {
		await published(daemon, 'team/m', model);
		({ etag, 'last-modified': modified } = (await get(daemon, pinned)).headers);
	});
	after(() => agent.destroy());

	const ask = (method, target, headers) => request(daemon, method, target, { headers, agent });

	test('8.8.2.2: a pinned URL has a Last-Modified, a name that moves has none', async () => {
		assert.equal(new Date(Date.parse(modified)).toUTCString(), modified);
		for (const target of [moving, '/models/team/m/model.json', '/models/team/m@latest/model.json']) {
			const { headers } = await get(daemon, target);
			assert.equal(headers['last-modified'], undefined, target);
			assert.match(headers.etag, /^"sha256-[0-9a-f]{64}"$/);
		}
	});

	// A label that goes back: by its date version 1 is not newer than what the client has.
	test('13.1.3: who has only a date is given what a label names, though it is older', async () => {
		await published(daemon, 'back', denseModel({ seed: 1 }));
		await published(daemon, 'back', denseModel({ seed: 2 }));
		const point = (version) => request(daemon, 'PUT', '/v1/models/back/labels/stable',
			{ body: JSON.stringify({ version }) });
		await point(2);
		const date = (await get(daemon, '/models/back@2/model.json')).headers['last-modified'];
		await point(1);
		const since = await get(daemon, '/models/back@stable/model.json', { 'if-modified-since': later(date, 60) });
		assert.equal(since.status, 200);
		assert.equal(since.headers['content-location'], '/models/back@1/model.json');
	});

	for (const method of ['GET', 'HEAD']) {
		for (const [what, target, hasDate] of [['a pinned URL', pinned, true], ['a name that moves', moving, false]]) {
			test(`13.2.2: ${method} of ${what} under every pairing of conditions`, async () => {
				const seen = new Set();
				for (const [matchWords, match, ifMatch] of tagLists(etag)) {
					for (const [unmodifiedWords, unmodified, ifUnmodified] of dates(modified)) {
						for (const [noneWords, none, ifNoneMatch] of tagLists(etag)) {
							const [sinceWords, since, ifModified] = dates(modified)[seen.size % 7];
							const fields = { 'if-match': match, 'if-unmodified-since': unmodified,
								'if-none-match': none, 'if-modified-since': since };
							const headers = Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
							const words = [matchWords, unmodifiedWords, noneWords, sinceWords].join(' / ');
							seen.add(words);
							const answered = await ask(method, target, headers);
							assert.equal(answered.status, judge({ ifMatch, ifNoneMatch,
								ifUnmodified: hasDate ? ifUnmodified : undefined,
								ifModified: hasDate ? ifModified : undefined }), words);
							assert.equal(answered.body.length, answered.status === 200 && method === 'GET' ? whole.length : 0);
						}
					}
				}
				assert.equal(seen.size, 8 * 7 * 8);
			});
		}
	}

	test('13.1.2, 13.1.3: If-None-Match alone and If-Modified-Since alone, every value', async () => {
		for (const [words, value, verdict] of tagLists(etag).slice(1)) {
			assert.equal((await ask('GET', pinned, { 'if-none-match': value })).status, verdict.weak ? 304 : 200, words);
		}
		for (const [words, value, verdict] of dates(modified).slice(1)) {
			const expected = verdict && !verdict.newer ? 304 : 200;
			assert.equal((await ask('GET', pinned, { 'if-modified-since': value })).status, expected, words);
		}
	});

	test('5.3: several If-None-Match lines are one list', async () => {
		const answered = await ask('GET', pinned, { 'If-None-Match': ['"a"', '"b"', etag] });
		assert.equal(answered.status, 304);
		assert.equal((await ask('GET', pinned, { 'If-Match': ['"a"', etag] })).status, 200);
	});

	test('15.4.5: a 304 has what the 200 has for caches, and no Content-Type or Last-Modified', async () => {
		for (const target of [pinned, moving, '/models/team/m/model.json', '/v1/models/team/m', '/v1/models']) {
			const full = await ask('GET', target);
			const not = await ask('GET', target, { 'if-none-match': full.headers.etag });
			assert.equal(not.status, 304, target);
			assertOpenToPages(not);
			for (const name of ['cache-control', 'content-location', 'etag', 'vary']) {
				assert.equal(not.headers[name], full.headers[name], `${name} of ${target}`);
			}
			assert.ok(not.headers.date);
			assert.equal(not.headers['content-type'], undefined);
			assert.equal(not.headers['last-modified'], undefined);
		}
	});

	test('15.5.13: a 412 has no body on the data plane, and says so to a page', async () => {
		assertQuietError(await ask('GET', pinned, { 'if-match': '"other"' }), 412, 'PRECONDITION_FAILED');
		assertQuietError(await ask('GET', '/models/team/m/model.json', { 'if-match': '"other"' }), 412, 'PRECONDITION_FAILED');
	});

	// ---- ranges ----

	const n = whole.length;
	const RANGES = [
		['14.1.2: the first byte', 'bytes=0-0', [0, 0]],
		['14.1.2: the last byte', `bytes=${n - 1}-${n - 1}`, [n - 1, n - 1]],
		['14.1.2: an open range', 'bytes=7-', [7, n - 1]],
		['14.1.2: a suffix', 'bytes=-9', [n - 9, n - 1]],
		['14.1.2: a suffix longer than the representation', `bytes=-${n + 1}`, [0, n - 1]],
		['14.1.2: a last position behind the end', `bytes=3-${n}`, [3, n - 1]],
		['14.1.2: a position that no number holds', 'bytes=3-99999999999999999999999', [3, n - 1]],
		['14.1: the unit in capitals', 'BYTES=1-2', [1, 2]],
		['5.6.1.2: empty elements beside one range', 'bytes=, 1-2 ,', [1, 2]],
		['14.2: several ranges, answered with the whole', 'bytes=0-1,3-4', null],
		['14.2: overlapping ranges, answered with the whole', 'bytes=0-9,5-14,-3', null],
		['14.2: more ranges than anybody needs', `bytes=${Array.from({ length: 500 }, (_, i) => `${i}-${i}`)}`, null],
		['14.1: another unit', 'lines=1-2', null],
		['14.1.1: a last position before the first', 'bytes=5-2', null],
		['14.1.1: no number', 'bytes=a-b', null],
		['14.1.1: a sign', 'bytes=+1-2', null],
		['14.1.1: white space inside', 'bytes=1 - 2', null],
		['14.1.1: nothing', 'bytes=', null],
		['14.1.1: a dash alone', 'bytes=-', null],
		['15.5.17: a first position at the end', `bytes=${n}-`, 416],
		['15.5.17: a position that no number holds', 'bytes=99999999999999999999999-', 416],
		['15.5.17: a suffix of nothing', 'bytes=-0', 416],
	];

	for (const [what, range, expected] of RANGES) {
		test(`${what}: ${range.slice(0, 40)}`, async () => {
			const answered = await ask('GET', pinned, { range });
			if (expected === 416) {
				assertQuietError(answered, 416, 'RANGE_NOT_SATISFIABLE');
				assert.equal(answered.headers['content-range'], `bytes */${n}`);
				return;
			}
			const [from, to] = expected ?? [0, n - 1];
			assert.equal(answered.status, expected ? 206 : 200);
			assert.equal(answered.headers['content-range'], expected ? `bytes ${from}-${to}/${n}` : undefined);
			assert.deepEqual(answered.body, whole.subarray(from, to + 1));
			assert.equal(answered.headers['content-length'], String(to - from + 1));
		});
	}

	test('15.3.7: a 206 has every field that the 200 has', async () => {
		const full = await get(daemon, pinned);
		const part = await get(daemon, pinned, { range: 'bytes=1-2' });
		for (const name of Object.keys(full.headers).filter((key) => !['content-length', 'date'].includes(key))) {
			assert.equal(part.headers[name], full.headers[name], name);
		}
	});

	test('9.3.2, 14.2: Range is for GET alone, HEAD tells of the whole', async () => {
		for (const range of ['bytes=0-3', `bytes=${n}-`]) {
			const answered = await head(daemon, pinned, { range });
			assert.equal(answered.status, 200);
			assert.equal(answered.headers['content-length'], String(n));
			assert.equal(answered.headers['content-range'], undefined);
			assert.equal(answered.headers['accept-ranges'], 'bytes');
		}
	});

	test('14.1.2: of an empty representation no range can be given, and a suffix is all of it', async () => {
		await published(daemon, 'empty', { ...model, files: [...model.files, { path: 'nothing.txt', bytes: new Uint8Array() }] });
		const target = '/models/empty@1/nothing.txt';
		for (const [range, status] of [['bytes=0-', 416], ['bytes=0-0', 416], ['bytes=-0', 416], ['bytes=-5', 200]]) {
			const answered = await ask('GET', target, { range });
			assert.equal(answered.status, status, range);
			assert.equal(answered.headers['content-range'], status === 416 ? 'bytes */0' : undefined);
			assert.equal(answered.headers['content-length'], '0');
		}
	});

	// 13.1.5; [value, whether the range applies]
	const ifRanges = () => [
		[undefined, true],
		[etag, true],
		[`W/${etag}`, false],
		['"other"', false],
		['*', false],
		[`${etag}, "other"`, false],
		[modified, true],
		[later(modified, 1), false],
		[later(modified, -1), false],
		['yesterday', false],
	];

	test('13.1.5, 13.2.2: If-Range with every kind of range, and conditions before it', async () => {
		for (const [ifRange, applies] of ifRanges()) {
			for (const [, range, expected] of RANGES) {
				for (const [condition, cut] of [[{}], [{ 'if-none-match': '"other"' }], [{ 'if-match': etag }],
					[{ 'if-none-match': etag }, 304], [{ 'if-match': '"other"' }, 412]]) {
					const headers = { range, ...condition, ...(ifRange && { 'if-range': ifRange }) };
					const { status } = await ask('GET', pinned, headers);
					const asked = Array.isArray(expected) ? 206 : expected ?? 200;
					assert.equal(status, cut ?? (applies ? asked : 200), JSON.stringify(headers));
				}
			}
		}
	});

	test('13.1.5: on a name that moves no date holds a range to what it was', async () => {
		assert.equal((await ask('GET', moving, { range: 'bytes=0-3', 'if-range': modified })).status, 200);
		assert.equal((await ask('GET', moving, { range: 'bytes=0-3', 'if-range': etag })).status, 206);
	});
});
