// SPDX-License-Identifier: Apache-2.0
// Imports in a network where every address answers: what is on the public internet is fetched, what is not is
// never connected to, whatever names and redirects say. Somebody listens at each internal address.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { file, redirect } from '../lib/answers.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { NameServer } from '../lib/dns.mjs';
import { assertHolds, imported, refused } from '../lib/imports.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { Canary, inOwnNetwork } from '../lib/network.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { Authority } from '../lib/tls.mjs';

const PUBLIC = '93.184.216.34';
const PUBLIC6 = '2606:2800:220:1::1';
const CODES = [301, 302, 303, 307, 308];

// address: the rule that refuses it.
const INTERNAL = {
	'0.0.0.0': /./, '0.1.2.3': /reserved/, '10.0.0.1': /private/, '10.255.255.255': /private/,
	'100.64.0.1': /carrier-nat/, '100.127.255.254': /carrier-nat/, '100.100.100.200': /metadata|carrier-nat/,
	'127.0.0.1': /loopback/, '127.8.9.10': /loopback/, '168.63.129.16': /metadata/, '169.254.0.1': /link-local/,
	'169.254.169.254': /metadata|link-local/, '169.254.170.2': /metadata|link-local/, '172.16.0.1': /private/,
	'172.31.255.255': /private/, '192.0.0.1': /reserved/, '192.0.0.192': /metadata|reserved/, '192.0.2.1': /reserved/,
	'192.31.196.1': /reserved/, '192.88.99.1': /reserved/, '192.168.0.1': /private/, '198.18.0.1': /reserved/,
	'198.19.255.255': /reserved/, '198.51.100.1': /reserved/, '203.0.113.1': /reserved/, '224.0.0.1': /multicast/,
	'239.255.255.250': /multicast/, '240.0.0.1': /reserved/, '255.255.255.255': /reserved/, '::1': /loopback/, '::': /./,
	'::ffff:10.0.0.1': /mapped/, '::ffff:169.254.169.254': /mapped/, [`::ffff:${PUBLIC}`]: /mapped/, '::10.0.0.1': /./,
	'64:ff9b::10.0.0.1': /nat64/, [`64:ff9b::${PUBLIC}`]: /nat64/, '64:ff9b:1::10.0.0.1': /nat64/, '100::1': /reserved/,
	'2001::1': /mapped|reserved/, '2001:db8::1': /reserved/, '2001:10::1': /reserved/, '2002:a00:1::1': /./,
	'2002:7f00:1::1': /./, '3fff::1': /reserved/, '5f00::1': /reserved/, 'fc00::1': /private/,
	'fd00:ec2::254': /metadata|private/, 'fdff::1': /private/, 'fe80::1': /link-local/, 'fec0::1': /./,
	'ff02::1': /multicast/, '4000::1': /reserved/,
};
const inUrl = (address) => (address.includes(':') ? `[${address}]` : address);
const model = addGraph({ seed: 1, size: 24, shardBytes: 32 });

if (inOwnNetwork(import.meta.url)) {
	describe('in a network where every address answers', () => {
		const authority = new Authority();
		const names = new NameServer();
		const canary = new Canary();
		const daemon = useDaemon({ set: { 'import.ca_file': authority.file, 'import.attempts': 2,
			'store.precompress_rate': 0 } });
		let secure;
		let turn = 0;
		const fresh = (what) => `${what}${++turn}.public.example`; // libcurl keeps what it looked up

		before(async () => {
			await names.start();
			await canary.listen([80, 443, 8443]);
			secure = authority.issue('*.public.example', PUBLIC, PUBLIC6);
		});
		after(async () => {
			names.stop();
			await canary.stop();
		});

		afterEach(() => { canary.reached = []; }); // what one test let happen is not the next one's

		async function publicOrigin(t, host = PUBLIC) {
			const origin = await startOrigin(t, { secure });
			origin.origin = `https://${inUrl(host)}`;
			canary.hand(t, host, origin);
			origin.serve('/m', model, (bytes) => file(bytes));
			return origin;
		}

		function assertNotReached(what) {
			assert.deepEqual(canary.reached, [], what);
		}

		async function never(url, rule) {
			const error = await refused(daemon, 'never', url);
			assert.equal(error.code, 'FETCH_REFUSED', `${url}: ${JSON.stringify(error)}`);
			assert.match(error.detail, rule, url);
			assertNotReached(url);
			return error;
		}

		// First of all that the others mean something.
		test('somebody would notice', async () => {
			for (const address of ['10.0.0.1', '169.254.169.254', 'fd00::1', '::1', '127.0.0.1']) {
				assert.equal((await fetch(`http://${inUrl(address)}/`)).status, 200);
			}
			assert.equal(canary.reached.length, 5);
		});

		for (const [family, host] of [['IPv4', PUBLIC], ['IPv6', PUBLIC6]]) {
			test(`a host of the public internet is imported from, by ${family}`, async (t) => {
				const origin = await publicOrigin(t, host);
				const name = fresh('public');
				names.set(name, [host]);
				for (const [model_, url] of [[`${family.toLowerCase()}/name`, `https://${name}/m/model.json`],
					[`${family.toLowerCase()}/address`, `https://${inUrl(host)}/m/model.json`]]) {
					await imported(daemon, model_, url);
					await assertHolds(daemon, model_, 1, model.files);
				}
				assert.equal(origin.seen()[0].headers.host, name);
				assertNotReached('while a public host is');
			});
		}

		for (const [address, rule] of Object.entries(INTERNAL)) {
			test(`${address} is refused as ${rule.source}`, async () => {
				await never(`https://${inUrl(address)}/model.json`, rule);
				await never(`https://${inUrl(address)}:8443/model.json`, rule);
				const name = fresh('inside');
				names.set(name, [address]);
				await never(`https://${name}/model.json`, rule);
				assert.ok(names.asked.includes(name));
			});
		}

		test('no redirect from a public host leads inside', async (t) => {
			const origin = await publicOrigin(t);
			const goals = Object.keys(INTERNAL);
			for (const [i, goal] of goals.entries()) {
				const where = i % 2 === 0 ? 'model.json' : shardsOf(model)[0].path;
				const name = fresh('goal');
				names.set(name, [goal]);
				for (const [j, code] of CODES.entries()) {
					const location = j % 2 === 0 ? `https://${inUrl(goal)}/x` : `https://${name}/x`;
					origin.serve('/m', model, (bytes) => file(bytes));
					origin.on(`/m/${where}`, redirect(code, location));
					await never(origin.url('/m/model.json'), /./);
				}
			}
		});

		test('no redirect leads from https to http, at whatever host', async (t) => {
			const origin = await publicOrigin(t);
			origin.on('/m/model.json', redirect(302, `http://${PUBLIC}/m/model.json`));
			await never(origin.url('/m/model.json'), /scheme/);
		});

		// ---- names that have several addresses, or others a moment later ----

		test('a name with a public and an internal address never leads to the internal one', async (t) => {
			const origin = await publicOrigin(t);
			for (const inside of ['10.0.0.1', '127.0.0.1', '169.254.169.254', '::1', 'fd00::1', '::ffff:10.0.0.1',
				'64:ff9b::10.0.0.1']) {
				for (const addresses of [[PUBLIC, inside], [inside, PUBLIC], [inside, PUBLIC, inside]]) {
					const name = fresh('mixed');
					names.set(name, addresses);
					await refused(daemon, 'never', `https://${name}/none/model.json`);
					assertNotReached(addresses.join());
				}
			}
			assert.ok(origin.connections > 0);
		});

		test('a name whose public address does not answer is not looked for inside', async (t) => {
			const name = fresh('dead');
			names.set(name, ['93.184.216.99', '10.0.0.1']);
			// Nobody listens at this port but the one inside.
			const inside = await new Canary().listen([8444], ['10.0.0.1']);
			t.after(() => inside.stop());
			await refused(daemon, 'never', `https://${name}:8444/model.json`);
			assert.deepEqual(inside.reached, []);
		});

		// libcurl remembers what it looked up by name and port: at another port it asks again.
		for (const inside of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1', '::ffff:127.0.0.1']) {
			for (const [how, weightPathPrefix] of [['a redirect', false], ['its shards', true]]) {
				test(`a name that becomes ${inside} meanwhile does not lead there, by ${how}`, async (t) => {
					const origin = await publicOrigin(t);
					const name = fresh('rebinding');
					names.set(name, [PUBLIC], [inside]);
					const there = `https://${name}:8443/m/`;
					const body = { url: `https://${name}/m/model.json`, ...(weightPathPrefix && { weightPathPrefix: there }) };
					if (!weightPathPrefix) {
						origin.on('/m/model.json', redirect(302, `${there}model.json`));
					}
					const error = await refused(daemon, 'never', body);
					assertNotReached(name);
					assert.equal(error.code, 'FETCH_REFUSED', JSON.stringify(error));
					assert.equal(origin.seen('/m/model.json').length, 1);
					assert.ok(names.asked.filter((one) => one === name).length > 2, 'it was looked up once');
				});
			}
		}

		test('a name that is inside at first, and public later, is judged each time', async (t) => {
			await publicOrigin(t);
			const name = fresh('later');
			names.set(name, ['10.0.0.1'], [PUBLIC]);
			await never(`https://${name}/m/model.json`, /private/);
		});

		test('a connection to a public address is not used for another host that is inside', async (t) => {
			const origin = await publicOrigin(t);
			const [outside, inside] = [fresh('outside'), fresh('inside')];
			names.set(outside, [PUBLIC]);
			names.set(inside, ['10.0.0.1']);
			origin.on('/m/model.json', redirect(302, `https://${inside}/m/model.json`));
			await never(`https://${outside}/m/model.json`, /private/);
		});

		for (const host of ['127.0.0.1.', '127.1.', '2130706433.', '0x7f.1.', 'localhost.', 'localhost.localdomain',
			'ip6-localhost']) {
			test(`this machine is not reached as ${host}, whatever that is`, async () => {
				const { code } = await refused(daemon, 'never', `https://${host}/model.json`);
				assert.match(code, /^FETCH_(REFUSED|FAILED)$/);
				assertNotReached(host);
			});
		}

		test('a name that nobody knows is a failure, not a refusal', async () => {
			const error = await refused(daemon, 'never', `https://${fresh('nobody')}/model.json`);
			assert.equal(error.code, 'FETCH_FAILED');
		});
	});

	describe('what import.allow names', () => {
		const authority = new Authority();
		const names = new NameServer();
		const canary = new Canary();
		const daemon = useDaemon({ set: { 'import.ca_file': authority.file, 'import.attempts': 1, 'store.precompress_rate': 0,
			'import.allow': '10.1.0.0/16 fd00:1::/32 models.lan *.team.lan' } });
		before(async () => {
			await names.start();
			await canary.listen([80, 443, 8443]);
		});
		after(async () => {
			names.stop();
			await canary.stop();
		});

		async function lan(t, host, name, rule) {
			const origin = await startOrigin(t, host.includes(':') ? {} : { host });
			origin.serve('/m', model, (bytes) => file(bytes));
			canary.hand(t, host, origin);
			if (name) {
				names.set(name, [host]);
			}
			const url = `http://${name ?? inUrl(host)}:${host.includes(':') ? 8443 : origin.port}/m/model.json`;
			if (!rule) {
				await imported(daemon, `lan/${host.replaceAll(/[.:]+/g, '-')}`, url);
				assert.ok(origin.connections > 0);
			} else {
				const error = await refused(daemon, 'never', url);
				assert.equal(error.code, 'FETCH_REFUSED', JSON.stringify(error));
				assert.match(error.detail, rule);
				assert.equal(origin.connections, 0);
			}
		}

		test('is fetched by plain http and from any port: a network', (t) => lan(t, '10.1.2.3'));
		test('is fetched: a network of IPv6', (t) => lan(t, 'fd00:1::5'));
		test('is fetched: a name', (t) => lan(t, '192.168.7.7', 'models.lan'));
		test('is fetched: a name below one', (t) => lan(t, '192.168.7.8', 'a.b.team.lan'));
		test('leaves its neighbours out', (t) => lan(t, '10.2.0.1', null, /private|scheme/));
		test('leaves other names of its neighbours out', (t) => lan(t, '192.168.7.9', 'other.lan', /private|scheme/));
		test('leaves names out that only end alike', (t) => lan(t, '192.168.7.10', 'evilmodels.lan', /private|scheme/));
		test('leaves the name itself out where all below it are allowed', (t) =>
			lan(t, '192.168.7.11', 'team.lan', /private|scheme/));
		for (const [inside, rule] of [['169.254.169.254', /metadata|link-local/], ['168.63.129.16', /metadata/],
			['224.0.0.1', /multicast/], ['240.0.0.1', /reserved/],
			['fe80::1', /link-local/]]) {
			test(`does not open ${inside} by a name`, async () => {
				const name = `meta${inside.replaceAll(/[.:]+/g, '-')}.team.lan`;
				names.set(name, [inside]);
				const error = await refused(daemon, 'never', `http://${name}/model.json`);
				assert.equal(error.code, 'FETCH_REFUSED');
				assert.match(error.detail, rule);
				assert.deepEqual(canary.reached, []);
			});
		}
	});
}
