// SPDX-License-Identifier: Apache-2.0
// What an origin may answer, well or badly: each makes a function for Origin.on().

import crypto from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import zlib from 'node:zlib';

const DRIP_MS = 20;
const FILLER = 4096;

export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
export const etagOf = (bytes) => `"${sha256(bytes).slice(0, 16)}"`;
export const reprDigest = (bytes) => `sha-256=:${crypto.createHash('sha256').update(bytes).digest('base64')}:`;

const text = (bytes) => Buffer.from(bytes);

// ---- well ----

function rangeOf({ headers }, etag, length) {
	const found = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
	if (!found || ('if-range' in headers && headers['if-range'] !== etag)) {
		return null;
	}
	return { from: Number(found[1]), to: found[2] === '' ? length - 1 : Math.min(Number(found[2]), length - 1) };
}

// The head of a file: {from, bytes} that is to follow.
export async function fileHead(exchange, bytes, { etag = etagOf(bytes), fields = {} } = {}) {
	const tag = etag ? { ETag: etag } : {};
	if (etag && exchange.headers['if-none-match'] === etag) {
		await exchange.head(304, tag);
		return { from: bytes.length, bytes: bytes.subarray(0, 0) };
	}
	const range = rangeOf(exchange, etag, bytes.length);
	if (range && range.from >= bytes.length) {
		await exchange.head(416, { 'Content-Range': `bytes */${bytes.length}`, 'Content-Length': 0 });
		return { from: bytes.length, bytes: bytes.subarray(0, 0) };
	}
	const piece = range ? bytes.subarray(range.from, range.to + 1) : bytes;
	const about = range ? { 'Content-Range': `bytes ${range.from}-${range.to}/${bytes.length}` } : { 'Accept-Ranges': 'bytes' };
	await exchange.head(range ? 206 : 200, { 'Content-Type': 'application/octet-stream', 'Content-Length': piece.length, ...tag,
		...about, ...fields });
	return { from: range?.from ?? 0, bytes: piece };
}

// As a server of files does it: with ETag, Range, If-Range and If-None-Match.
export const file = (bytes, options) => async (exchange) => {
	const { bytes: piece } = await fileHead(exchange, bytes, options);
	await exchange.write(piece);
};

export const plain = (bytes, fields = {}, status = 200) => async (exchange) => {
	await exchange.head(status, { 'Content-Length': bytes.length, ...fields });
	await exchange.write(text(bytes));
};

export const status = (code, fields = {}, body = '') => plain(text(body), fields, code);
export const redirect = (code, location) => status(code, { Location: location });
export const html = () => plain(text('<!doctype html><title>Not Found</title><h1>404</h1>'), { 'Content-Type': 'text/html' });
export const lfsPointer = (bytes) => plain(text('version https://git-lfs.github.com/spec/v1\n' +
	`oid sha256:${sha256(bytes)}\nsize ${bytes.length}\n`));

export const gzipped = (bytes, fields = {}) =>
	plain(zlib.gzipSync(bytes), { 'Content-Encoding': 'gzip', ETag: etagOf(bytes), ...fields });
export const brotli = (bytes, fields = {}) =>
	plain(zlib.brotliCompressSync(bytes), { 'Content-Encoding': 'br', ETag: etagOf(bytes), ...fields });

export const chunked = (bytes, { size = 1000, trailers = {}, cut = Infinity } = {}) => async (exchange) => {
	await exchange.head(200, { 'Transfer-Encoding': 'chunked', ETag: etagOf(bytes) });
	for (let at = 0; at < bytes.length; at += size) {
		if (at >= cut) {
			await exchange.close();
			return;
		}
		const piece = bytes.subarray(at, at + size);
		await exchange.raw(`${piece.length.toString(16)}\r\n`);
		await exchange.write(piece);
		await exchange.raw('\r\n');
	}
	const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
	await exchange.raw(`0\r\n${lines}\r\n`);
};

// ---- in turn ----

// The first request gets the first one, and so on; the last one stays.
export const inTurn = (...answers) => {
	let n = 0;
	return (exchange) => answers[Math.min(n++, answers.length - 1)](exchange);
};

// For those that ask for a range, and for the others.
export const byRange = (ranged, whole) => (exchange) => ('range' in exchange.headers ? ranged : whole)(exchange);

// ---- badly ----

// The head of all of it, and so many bytes.
export const truncated = (bytes, n, { reset = false, ...options } = {}) => async (exchange) => {
	const { bytes: piece } = await fileHead(exchange, bytes, options);
	await exchange.write(piece.subarray(0, n));
	if (reset) {
		exchange.reset();
	} else {
		await exchange.close();
	}
};

// So many bytes of the body, then nothing until `release` opens; without it until the client goes.
export const stalled = (bytes, n, release, options) => async (exchange) => {
	const { bytes: piece } = await fileHead(exchange, bytes, options);
	await exchange.write(piece.subarray(0, n));
	await Promise.race([exchange.gone(), ...(release ? [release.opened] : [])]);
	await exchange.write(piece.subarray(n));
};

export const silent = () => (exchange) => exchange.gone();

export const stalledHead = () => async (exchange) => {
	await exchange.head(200, { 'Content-Length': 100 }, { open: true });
	await exchange.gone();
};

export const reset = () => async (exchange) => exchange.reset();

// A byte now and then, of head or body. The pace is the fault, no test waits for it.
export const dripped = (bytes) => async (exchange) => {
	await exchange.head(200, { 'Content-Length': bytes.length });
	for (let at = 0; at < bytes.length && !exchange.closed; at++) {
		await exchange.write(bytes.subarray(at, at + 1));
		await Promise.race([delay(DRIP_MS), exchange.gone()]);
	}
};

export const drippedHead = () => async (exchange) => {
	await exchange.head(200, {}, { open: true });
	for (const letter of `X-Filler: ${'a'.repeat(FILLER)}`) {
		if (exchange.closed) {
			return;
		}
		await exchange.raw(letter);
		await Promise.race([delay(DRIP_MS), exchange.gone()]);
	}
};

// Until the client has enough.
const endless = (before, piece) => async (exchange) => {
	await before(exchange);
	while (!exchange.closed) {
		await exchange.write(text(piece));
	}
};

export const endlessHead = () =>
	endless((exchange) => exchange.head(200, {}, { open: true }), `X-Filler: ${'a'.repeat(FILLER)}\r\n`);
export const endlessLine = () =>
	endless((exchange) => exchange.raw('HTTP/1.1 200 OK\r\nX-Filler: '), 'a'.repeat(FILLER));
export const endlessInterim = () =>
	endless(async () => {}, 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n');
export const endlessBody = (fields = {}) =>
	endless((exchange) => exchange.head(200, { Connection: 'close', ...fields }), 'a'.repeat(FILLER));

// A head of so many bytes of fields, and the body.
export const largeHead = (bytes, size) => plain(bytes, { 'X-Large': 'a'.repeat(size) });

// gzip of so many zeros, behind `before`.
export const bomb = (zeros, before = '') => zlib.gzipSync(Buffer.concat([text(before), Buffer.alloc(zeros, 0x20)]));

// 206 with a range other than was asked for: `said` makes it of {from, to, length}.
export const wrongRange = (bytes, said, options) => async (exchange) => {
	const { from } = rangeOf(exchange, null, bytes.length) ?? { from: 0 };
	const piece = bytes.subarray(from);
	const range = said({ from, to: bytes.length - 1, length: bytes.length });
	await exchange.head(206, { 'Content-Length': piece.length, ETag: options?.etag ?? etagOf(bytes),
		...(range && { 'Content-Range': range }) });
	await exchange.write(piece);
};
