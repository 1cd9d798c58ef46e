// SPDX-License-Identifier: Apache-2.0
// Requests whose end two parties could see in different places: refused, and the connection closed, so
// that nothing behind them is ever taken for a request, neither when they come by themselves nor through nginx.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import { Wire, assertOpenToPages, exchange, get, multipart, partsOf, published } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';
import { startNginx } from '../lib/nginx.mjs';

const SMUGGLED = 'GET /v1/models?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
const lines = (...all) => `${all.join('\r\n')}\r\n\r\n`;

const chunked = `0\r\n\r\n${SMUGGLED}`;

// Heads that are refused: [what, header lines, what follows].
const HEADS = [
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
	['a NUL in a value', ['X-Bad: a\0b'], SMUGGLED],
	['a NUL before chunked', ['Transfer-Encoding: \0chunked'], chunked],
	['a NUL in a name', ['X\0Bad: 1'], SMUGGLED],
	['a header behind a line feed', ['X-Bad: a\nTransfer-Encoding: chunked'], chunked],
	['a header behind a carriage return', ['X-Bad: a\rTransfer-Encoding: chunked'], chunked],
	['a length behind a line feed', ['X-Bad: a\nContent-Length: 5'], `12345${SMUGGLED}`],
	['a length that is folded', ['Content-Length:', ' 5'], `12345${SMUGGLED}`],
	['a header without a name', [': 1'], SMUGGLED],
	['a tab before the colon', ['Content-Length\t: 5'], `12345${SMUGGLED}`],
];

// First lines that are refused.
const LINES = [
	['two blanks in the first line', 'GET  /healthz HTTP/1.1'],
	['two blanks before the version', 'GET /healthz  HTTP/1.1'],
	['a tab in the first line', 'GET\t/healthz HTTP/1.1'],
	['a blank behind the version', 'GET /healthz HTTP/1.1 '],
	['a word behind the version', 'GET /healthz HTTP/1.1 x'],
	['a version in small letters', 'GET /healthz http/1.1'],
	['the version 1.10', 'GET /healthz HTTP/1.10'],
	['the version 01.1', 'GET /healthz HTTP/01.1'],
	['the version 2.0', 'GET /healthz HTTP/2.0'],
	['the version 0.9', 'GET /healthz HTTP/0.9'],
	['no version', 'GET /healthz'],
	['a method in small letters', 'get /healthz HTTP/1.1'],
	['a method that is no token', 'G(T /healthz HTTP/1.1'],
	['a method with a NUL', 'GET\0X /healthz HTTP/1.1'],
	['a method of 1000 letters', `${'G'.repeat(1000)} /healthz HTTP/1.1`],
	['a method that nobody knows', 'FETCH /healthz HTTP/1.1'],
	['TRACE', 'TRACE /healthz HTTP/1.1'],
	['CONNECT', 'CONNECT localhost:443 HTTP/1.1'],
	['a NUL in the target', 'GET /health\0z HTTP/1.1'],
	['the authority of another in the target', 'GET http://example.com/healthz HTTP/1.1'],
	['a first line that is folded', 'GET /healthz\r\n HTTP/1.1'],
];

// Bodies in chunks whose framing is wrong.
const CHUNKS = [
	['a size with 0x', '0x5\r\n12345\r\n0\r\n\r\n'], ['a size with a plus', '+5\r\n12345\r\n0\r\n\r\n'],
	['a size with a minus', '-5\r\n12345\r\n0\r\n\r\n'], ['no size', '\r\n12345\r\n0\r\n\r\n'],
	['no size before an extension', ';a=b\r\n12345\r\n0\r\n\r\n'],
	['a blank before the size', ' 5\r\n12345\r\n0\r\n\r\n'], ['a size that is a word', 'five\r\n12345\r\n0\r\n\r\n'],
	['a size with an underscore', '5_0\r\n12345\r\n0\r\n\r\n'], ['a size with a NUL', '5\0\r\n12345\r\n0\r\n\r\n'],
	['a size with a comma', '5,5\r\n12345\r\n0\r\n\r\n'], ['a size above 2^64', '10000000000000005\r\n12345\r\n0\r\n\r\n'],
	['a chunk longer than its size', '3\r\n12345\r\n0\r\n\r\n'], ['a chunk without its end', '5\r\n123450\r\n\r\n'],
];

// Chunks that are read, as leniently as libmicrohttpd does: harmless, since the connection ends with them.
const LENIENT = [
	['a line feed behind the size', '5\n12345\r\n0\r\n\r\n'], ['a line feed behind a chunk', '5\r\n12345\n0\r\n\r\n'],
	['a size with zeros in front', '0000000000000000000005\r\n12345\r\n0\r\n\r\n'],
	['an extension', '5;a="b;c"\r\n12345\r\n0\r\n\r\n'], ['a carriage return in an extension', '5;a\rb\r\n12345\r\n0\r\n\r\n'],
	['a line feed in an extension', '5;a\n12345\r\n0\r\n\r\n'], ['a length in the trailer', '0\r\nContent-Length: 5\r\n\r\n'],
	['chunked in the trailer', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
];

const CHUNKED_HEAD = (target) => lines(`GET ${target} HTTP/1.1`, 'Host: localhost', 'Transfer-Encoding: chunked');

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

	for (const [what, head, body] of HEADS) {
		test(`${what} is refused`, async () => {
			await assertRefused(lines('POST /models/x HTTP/1.1', 'Host: localhost',
				'Content-Type: multipart/form-data; boundary=b', ...head) + body, 400, 413, 501);
		});

		test(`${what} is refused on GET`, async () => {
			await assertRefused(lines('GET /healthz HTTP/1.1', 'Host: localhost', ...head) + body,
				400, 413, 501);
		});
	}

	for (const [what, line] of LINES) {
		test(`${what} is refused`, async () => {
			await assertRefused(lines(line, 'Host: localhost') + SMUGGLED, 400, 421, 501, 505);
		});
	}

	for (const [what, body] of CHUNKS) {
		test(`${what} is refused in chunks`, async () => {
			await assertRefused(CHUNKED_HEAD('/healthz') + body + SMUGGLED, 400, 413);
		});
	}

	for (const [what, body] of LENIENT) {
		test(`${what} ends the connection in chunks`, async () => {
			await assertRefused(CHUNKED_HEAD('/healthz') + body + SMUGGLED, 200, 400);
		});
	}

	for (const [what, size] of [['a size that is not reached', 'FFFFFFFFFFFFFFFF'],
		['an extension of 100 kB', `5;${'e'.repeat(100_000)}`]]) {
		test(`${what} holds all that follows in chunks`, async () => {
			const wire = new Wire(daemon.port);
			await wire.send(`${CHUNKED_HEAD('/healthz')}${size}\r\n12345\r\n0\r\n\r\n${SMUGGLED}`);
			wire.finish();
			assert.ok(!(await wire.rest()).includes('HTTP/1.1 200'));
			wire.destroy();
		});
	}

	test('requests sent together are answered in their order, each by itself', async () => {
		const ask = (method, target, ...more) => lines(`${method} ${target} HTTP/1.1`, 'Host: localhost', ...more);
		const { answers } = await exchange(daemon.port, ask('HEAD', '/models/base/model.json') + ask('GET', '/healthz') +
			ask('OPTIONS', '/healthz') + ask('GET', '/models/base@1/model.json', 'Range: bytes=0-0') +
			ask('GET', '/models/base@9/model.json') + SMUGGLED, ['HEAD', 'GET', 'OPTIONS', 'GET', 'GET']);
		assert.deepEqual(answers.map(({ status }) => status), [200, 200, 204, 206, 404], 'an error ends the connection');
	});

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

	test('a head larger than limits.head is 431 that says so, without a body where weights are asked for', async () => {
		const head = (target, n) => {
			const rest = lines(`GET ${target} HTTP/1.1`, 'Host: localhost', 'X-Large: ');
			return rest.replace('Large: ', `Large: ${'l'.repeat(n - rest.length)}`);
		};
		const { answers: [within] } = await exchange(daemon.port, head('/healthz', 12288).replace('X-Large', 'Connection: close\r\nX')
			.replace('l'.repeat(19), 'l'.repeat(6)));
		assert.equal(within.status, 200);
		const answered = await assertRefused(head('/healthz', 12289), 431);
		assert.equal(answered.headers['x-error-code'], 'HEADERS_TOO_LARGE');
		assert.match(answered.headers['x-request-id'], /./);
		assert.match(JSON.parse(answered.body).detail, /of 12289 bytes, and 12 KiB are allowed \(limits\.head\)/);
		const quiet = await assertRefused(head('/models/m@1/weights.bin', 12289), 431);
		assert.equal(quiet.body.length, 0);
		assert.equal(quiet.headers['x-error-code'], 'HEADERS_TOO_LARGE');
	});

	test('limits.head allows larger heads, with many fields', async (t) => {
		const own = await startDaemon(t, { set: { 'limits.head': '128KiB' } });
		await published(own, 'm', denseModel({ inputs: 16 }));
		const fields = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`x-${i}`, 'v'.repeat(1300)]));
		for (const target of ['/models/m/model.json', '/models/m@1?tfjs-format=compressed', '/v1/models']) {
			assert.equal((await get(own, target, fields)).status, 200);
		}
		assert.equal((await get(own, '/healthz', { ...fields, more: 'v'.repeat(14000) })).status, 431);
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

// It keeps connections to us and puts the requests of all its clients on them: where we saw an end that it did
// not see, one client would speak for another.
test('behind nginx as many requests arrive as nginx has passed on', async (t) => {
	const daemon = await startDaemon(t);
	const nginx = await startNginx(t, {
		outside: `upstream modeld { server 127.0.0.1:${daemon.port}; keepalive 4; }`,
		more: `location / { proxy_pass http://modeld; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_set_header Host localhost; proxy_request_buffering off; proxy_next_upstream off; }
			ignore_invalid_headers off;`,
	});
	const bodies = (list) => list.map(([what, body]) => [what, CHUNKED_HEAD('/healthz?MARK'), body + SMUGGLED]);
	const shapes = [
		...HEADS.flatMap(([what, head, body]) => ['GET /healthz', 'POST /models/x'].map((first) =>
			[what, lines(`${first}?MARK HTTP/1.1`, 'Host: localhost', ...head), body])),
		...LINES.map(([what, line]) => [what, lines(line.replace('/healthz', '/healthz?MARK'), 'Host: localhost'), SMUGGLED]),
		...bodies(CHUNKS), ...bodies(LENIENT),
		['a chunk that nothing is wrong with', CHUNKED_HEAD('/healthz?MARK'), `5\r\n12345\r\n${chunked}`],
	];
	const last = shapes.length - 1;
	for (const [i, [, head, body]] of shapes.entries()) {
		const wire = new Wire(nginx.port);
		const mark = (text) => text.replaceAll('MARK', `shape-${i}`).replaceAll('smuggled', `behind-${i}`);
		await wire.send(Buffer.from(mark(head) + mark(body), 'latin1'));
		if (i === last) {
			assert.equal((await wire.answer())?.status, 200);
			assert.equal((await wire.answer())?.status, 200);
		}
		wire.finish();
		await wire.rest();
		wire.destroy();
		assert.equal((await get(nginx, `/healthz?after-${i}`)).status, 200);
	}
	await nginx.stop();
	await daemon.stop();

	const passed = nginx.requests().filter((one) => one.passed).map(({ target }) => target);
	// nginx drops what it was about to pass on (499) when it sees that the client has closed its side.
	const dropped = nginx.requests().filter(({ status }) => status === 499).map(({ target }) => target);
	const arrived = daemon.stderr.split('\n').filter((line) => /status=/.test(line));
	const count = (list, mark) => list.filter((one) => new RegExp(`${mark}\\b`).test(one)).length;
	const differ = shapes.flatMap(([what], i) => ['shape', 'behind', 'after'].map((which) => `${which}-${i}`)
		.filter((mark) => count(arrived, mark) > count(passed, mark) ||
			count(arrived, mark) < count(passed, mark) - count(dropped, mark))
		.map((mark) => `${what}: ${count(passed, mark)} of ${mark} were passed on, ${count(arrived, mark)} arrived`));
	assert.deepEqual(differ, []);
	assert.equal(count(arrived, `shape-${last}`), 1);
	assert.equal(count(passed, `behind-${last}`), 1);
});
