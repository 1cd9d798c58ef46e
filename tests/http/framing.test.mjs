// SPDX-License-Identifier: Apache-2.0
// Requests whose end two parties could see in different places: refused, and the connection closed, so
// that nothing behind them is ever taken for a request.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { useDaemon } from '../lib/daemon.mjs';
import { Wire, assertOpenToPages, exchange, get, multipart, partsOf, published } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const SMUGGLED = 'GET /v1/models?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
const lines = (...all) => `${all.join('\r\n')}\r\n\r\n`;

describe('framing', () => {
	const daemon = useDaemon();
	before(() => published(daemon, 'base', denseModel()));

	// One answer at most, of that status, and then the end.
	async function assertRefused(bytes, ...statuses) {
		const { answers } = await exchange(daemon.port, bytes);
		assert.ok(answers.length <= 1, `${answers.length} answers: ${answers.map((a) => a.status)}`);
		for (const answered of answers) {
			assert.ok(statuses.includes(answered.status), `${answered.status}, not ${statuses}`);
			assert.equal(answered.headers.connection, 'close');
		}
		assert.equal((await get(daemon, '/healthz')).status, 200);
		return answers[0];
	}

	const chunked = `0\r\n\r\n${SMUGGLED}`;
	for (const [what, head, body] of [
		['Content-Length and chunked', ['Content-Length: 5', 'Transfer-Encoding: chunked'], chunked],
		['chunked and Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 5'], chunked],
		['two lengths that differ', ['Content-Length: 5', 'Content-Length: 6'], `12345${SMUGGLED}`],
		['two lengths that agree', ['Content-Length: 5', 'Content-Length: 5'], `12345${SMUGGLED}`],
		['a list of lengths', ['Content-Length: 5, 5'], `12345${SMUGGLED}`],
		['a length with a sign', ['Content-Length: +5'], `12345${SMUGGLED}`],
		['a negative length', ['Content-Length: -5'], `12345${SMUGGLED}`],
		['a length in hexadecimal', ['Content-Length: 0x5'], `12345${SMUGGLED}`],
		['a length with a fraction', ['Content-Length: 5.0'], `12345${SMUGGLED}`],
		['an empty length', ['Content-Length:'], SMUGGLED],
		['a length of 16 digits', ['Content-Length: 0000000000000005'], `12345${SMUGGLED}`],
		['a length above 2^63', ['Content-Length: 9223372036854775808'], `12345${SMUGGLED}`],
		['a length above 2^64', ['Content-Length: 18446744073709551621'], `12345${SMUGGLED}`],
		['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunked],
		['chunked in a list', ['Transfer-Encoding: chunked, chunked'], chunked],
		['gzip, chunked', ['Transfer-Encoding: gzip, chunked'], chunked],
		['chunked, identity', ['Transfer-Encoding: chunked, identity'], chunked],
		['identity', ['Transfer-Encoding: identity'], SMUGGLED],
		['an unknown coding', ['Transfer-Encoding: xchunked'], chunked],
		['a quoted coding', ['Transfer-Encoding: "chunked"'], chunked],
		['a blank before the colon', ['Transfer-Encoding : chunked'], chunked],
		['a blank before the colon of the length', ['Content-Length : 5'], `12345${SMUGGLED}`],
		['a folded header', ['X-Folded: a', ' Transfer-Encoding: chunked'], chunked],
		['a control byte in a value', ['X-Bad: a\x01b'], SMUGGLED],
		['a control byte before chunked', ['Transfer-Encoding: \x0bchunked'], chunked],
		['a name that is no token', ['X Bad: 1'], SMUGGLED],
		['a name with a slash', ['X/Bad: 1'], SMUGGLED],
	]) {
		test(`${what} is refused`, async () => {
			await assertRefused(lines('POST /models/x HTTP/1.1', 'Host: localhost',
				'Content-Type: multipart/form-data; boundary=b', ...head) + body, 400, 413, 501);
		});

		test(`${what} is refused on GET`, async () => {
			await assertRefused(lines('GET /healthz HTTP/1.1', 'Host: localhost', ...head) + body,
				400, 413, 501);
		});
	}

	test('chunked in HTTP/1.0 is refused', () => assertRefused(
		lines('POST /models/x HTTP/1.0', 'Host: localhost', 'Transfer-Encoding: chunked') + chunked, 400));

	for (const [what, hosts] of [
		['no Host', []], ['two Hosts', ['Host: localhost', 'Host: localhost']],
		['two Hosts that differ', ['Host: localhost', 'Host: example.com']],
		['an empty Host', ['Host:']], ['a Host with a path', ['Host: localhost/x']],
		['a Host with blanks', ['Host: local host']], ['a Host with user', ['Host: a@localhost']],
		['a Host with a bad port', ['Host: localhost:80x']], ['a list of Hosts', ['Host: localhost, localhost']],
	]) {
		test(`${what} is refused`, () => assertRefused(
			lines('GET /healthz HTTP/1.1', ...hosts) + SMUGGLED, 400, 421));
	}

	test('the Host of an absolute target decides', async () => {
		const ask = async (target, host) => (await exchange(daemon.port,
			lines(`GET ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close'))).answers[0]?.status;
		assert.equal(await ask('http://localhost/healthz', 'localhost'), 200);
		assert.equal(await ask('http://example.com/healthz', 'localhost'), 421);
	});

	for (const target of ['/a"b', '/a<b', '/a`b', '/a{b}', '/a\\b', '/a#b', '/\xff', '/a?"', '/a?<']) {
		test(`the target ${JSON.stringify(target)} is refused`, () => assertRefused(
			Buffer.from(lines(`GET ${target} HTTP/1.1`, 'Host: localhost') + SMUGGLED, 'latin1'), 400));
	}

	// The URL standard leaves these alone, and an unknown query never changes the answer.
	test('a browser\'s raw characters in a query are taken', async () => {
		const { answers } = await exchange(daemon.port,
			lines('GET /healthz?a={b}|^`\\ HTTP/1.1', 'Host: localhost', 'Connection: close'));
		assert.equal(answers[0].status, 200);
	});

	test('a target of 9000 bytes is 414', async () => {
		const answered = await assertRefused(
			lines(`GET /${'a'.repeat(9000)} HTTP/1.1`, 'Host: localhost'), 414);
		assert.equal(answered?.headers['x-error-code'], 'TARGET_TOO_LONG');
	});

	test('a target of 8000 bytes is looked for', async () => {
		assert.equal((await get(daemon, `/${'a'.repeat(7999)}`)).status, 404);
	});

	test('101 headers are refused', () => assertRefused(
		lines('GET /healthz HTTP/1.1', 'Host: localhost',
			...Array.from({ length: 110 }, (_, i) => `X-${i}: 1`)) + SMUGGLED, 400, 431));

	test('a megabyte of headers is refused', async () => {
		const { answers } = await exchange(daemon.port, lines('GET /healthz HTTP/1.1', 'Host: localhost',
			`X-Large: ${'l'.repeat(1 << 20)}`));
		assert.ok(answers.length <= 1);
		assert.ok(answers.length === 0 || [400, 413, 431].includes(answers[0].status), answers[0]?.status);
	});

	test('an expectation other than 100-continue is 417', async () => {
		const answered = await assertRefused(lines('GET /healthz HTTP/1.1', 'Host: localhost',
			'Expect: the-unexpected'), 417);
		assert.equal(answered.headers['x-error-code'], 'EXPECTATION_FAILED');
	});

	test('an answer to a request with a body closes the connection', async () => {
		const { headers, body } = multipart(partsOf(denseModel()));
		const bytes = Buffer.concat([Buffer.from(lines('POST /models/base HTTP/1.1', 'Host: localhost',
			`Content-Type: ${headers['content-type']}`, `Content-Length: ${body.length}`)), body,
		Buffer.from(SMUGGLED)]);
		const { answers } = await exchange(daemon.port, bytes, ['POST']);
		assert.equal(answers.length, 1);
		assert.equal(answers[0].status, 200);
		assert.equal(answers[0].headers.connection, 'close');
	});

	test('a body on GET does not become a request', async () => {
		const { answers } = await exchange(daemon.port, lines('GET /healthz HTTP/1.1', 'Host: localhost',
			`Content-Length: ${SMUGGLED.length}`) + SMUGGLED);
		assert.equal(answers.length, 1);
	});

	for (const garbage of ['\x16\x03\x01\x02\x00\x01\x00', 'hello\r\n\r\n', 'GET\r\n\r\n',
		'GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
		'\0'.repeat(100), '\r\n\r\n\r\n']) {
		test(`${JSON.stringify(garbage.slice(0, 12))} does no harm`, async () => {
			const wire = new Wire(daemon.port);
			await wire.send(Buffer.from(garbage, 'latin1'));
			wire.finish();
			await wire.rest();
			assert.ok(!wire.received.includes('HTTP/1.1 200'), wire.received.toString('latin1'));
			wire.destroy();
			assert.equal((await get(daemon, '/healthz')).status, 200);
		});
	}

	test('a refusal can be read by pages, too', async () => {
		const { answers } = await exchange(daemon.port, lines('GET /healthz HTTP/1.1', 'Host: localhost',
			'Host: localhost'));
		assertOpenToPages(answers[0]);
		assert.equal(answers[0].headers['cache-control'], 'no-store');
	});

	test('requests that arrive byte by byte are requests', async () => {
		const wire = new Wire(daemon.port);
		const text = lines('GET /models/base/model.json HTTP/1.1', 'Host: localhost');
		await wire.send(...Array.from(text));
		assert.equal((await wire.answer()).status, 200);
		wire.destroy();
	});
});
