// SPDX-License-Identifier: Apache-2.0
// The hosts that the tests of imports are made with are as wrong as they say, told by curl; a test that
// cannot fail proves nothing.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import dns from 'node:dns/promises';
import { describe, test } from 'node:test';

import * as answers from '../lib/answers.mjs';
import { written } from '../lib/archives.mjs';
import { until } from '../lib/daemon.mjs';
import { NameServer } from '../lib/dns.mjs';
import { addGraph } from '../lib/models.mjs';
import { Canary, inOwnNetwork } from '../lib/network.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { gate, startOrigin } from '../lib/origin.mjs';
import { Authority } from '../lib/tls.mjs';

const bytes = Buffer.from('0123456789');

// {code, out, error} of curl.
const curl = (...words) => new Promise((resolve) => {
	execFile('curl', ['-sS', '--max-time', '60', ...words], { encoding: 'buffer' }, (error, out, stderr) =>
		resolve({ code: error?.code ?? 0, out: out.toString('latin1'), error: stderr.toString() }));
});

if (inOwnNetwork(import.meta.url)) {
	describe('a scripted origin', () => {
		test('answers as servers of files do, on one connection', async (t) => {
			const origin = await startOrigin(t);
			origin.on('/a', answers.file(bytes));
			const etag = answers.etagOf(bytes);
			const { out } = await curl(origin.url('/a'), '--next', '-sS', '-r', '4-', origin.url('/a?x=1'), '--next',
				'-sS', '-w', '%{http_code}',
				'-H', `If-None-Match: ${etag}`, origin.url('/a'));
			assert.equal(out, '0123456789456789304');
			assert.deepEqual(origin.targets(), ['/a', '/a', '/a?x=1']);
			assert.equal(origin.sent('/a'), 16);
			assert.equal(origin.connections, 1);
		});

		for (const [what, answer, codes] of [
			['cuts a body', answers.truncated(bytes, 4), [18]], ['resets', answers.reset(), [56]],
			['cuts chunks', answers.chunked(bytes, { size: 2, cut: 4 }), [18, 56]],
			['sends heads without end', answers.endlessHead(), [27, 56]],
			['sends lines without end', answers.endlessLine(), [27, 56]],
			['sends 1xx without end', answers.endlessInterim(), [27, 56]],
		]) {
			test(what, async (t) => {
				const origin = await startOrigin(t);
				origin.on('/a', answer);
				const { code, error } = await curl(origin.url('/a'));
				assert.ok(codes.includes(code), `${code}: ${error}`);
			});
		}

		test('holds back, and lets go', async (t) => {
			const origin = await startOrigin(t);
			const door = gate();
			origin.on('/a', answers.stalled(bytes, 4, door)).hold('/a');
			const told = curl(origin.url('/a'));
			await origin.arrived('/a');
			assert.equal(origin.active, 1);
			origin.release();
			await origin.when('four bytes', () => origin.sent('/a') === 4 || origin.active === 0);
			door.open();
			assert.equal((await told).out, '0123456789');
		});

		test('notices a client that goes away', async (t) => {
			const origin = await startOrigin(t);
			origin.on('/a', answers.silent());
			const { code } = await curl('--max-time', '1', origin.url('/a'));
			assert.equal(code, 28);
			await origin.when('it to be gone', () => origin.active === 0);
		});

		test('speaks TLS with a certificate that its authority stands for', async (t) => {
			const authority = new Authority();
			const origin = await startOrigin(t, { secure: authority.issue('127.0.0.1') });
			origin.on('/a', answers.file(bytes));
			assert.equal((await curl('--cacert', authority.file, origin.url('/a'))).out, '0123456789');
			assert.equal((await curl('--cacert', new Authority().file, origin.url('/a'))).code, 60);
		});
	});

	describe('nginx', () => {
		test('speaks HTTP/2, and tells what it was asked', async (t) => {
			const authority = new Authority();
			const nginx = await startNginx(t, { root: written(addGraph()), secure: authority.issue('127.0.0.1') });
			const { out } = await curl('--cacert', authority.file, '-w', '%{http_version}', '-o', '/dev/null',
				nginx.url('/model.json'));
			assert.equal(out, '2');
			await until('its log line', () => nginx.requests().length > 0);
			const [{ target, status, protocol }] = nginx.requests();
			assert.deepEqual({ target, status, protocol }, { target: '/model.json', status: 200, protocol: 'HTTP/2.0' });
		});
	});

	describe('a network of its own', () => {
		test('has every address, and names that change', async (t) => {
			const canary = await new Canary().listen([80]);
			t.after(() => canary.stop());
			for (const host of ['10.0.0.1', '169.254.169.254', '[fd00::1]', '[2606:4700::1]', '93.184.216.34']) {
				assert.equal((await curl(`http://${host}/`)).out, '{}', host);
			}
			assert.deepEqual(canary.reached, ['10.0.0.1:80', '169.254.169.254:80', 'fd00::1:80', '2606:4700::1:80',
				'93.184.216.34:80']);
			const names = await new NameServer().start();
			t.after(() => names.stop());
			names.set('a.example', ['93.184.216.34', '::ffff:10.0.0.1'], ['10.0.0.1', 'fd00::2']);
			const look = async () => (await dns.lookup('a.example', { all: true })).map(({ address }) => address).sort();
			assert.deepEqual(await look(), ['93.184.216.34', '::ffff:10.0.0.1']);
			assert.deepEqual(await look(), ['10.0.0.1', 'fd00::2']);
			await assert.rejects(dns.lookup('b.example'), { code: 'ENOTFOUND' });
			assert.ok(names.asked.includes('b.example'));
		});
	});
}
