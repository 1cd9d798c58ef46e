// SPDX-License-Identifier: Apache-2.0
// modelctl doctor: nginx and hosts of a script that are wrong in one way each, and what is said of it; and
// those that are right, of which nothing is said.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';

import { file, html, lfsPointer, plain, redirect, status } from '../lib/answers.mjs';
import { useDaemon } from '../lib/daemon.mjs';
import { published, request } from '../lib/http.mjs';
import { INVALID, NETWORK, USAGE, folderOf, modelctl } from '../lib/modelctl.mjs';
import { addGraph, assemble, concat, denseModel, floatWeight, shardsOf, stringWeight, utf8, withJson } from '../lib/models.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { startOrigin } from '../lib/origin.mjs';

const OPEN = 'add_header Access-Control-Allow-Origin * always;';
const FOREVER = 'add_header Cache-Control "public, max-age=31536000, immutable" always;';
const ASKS = 'add_header Cache-Control no-cache always;';
const RIGHT = `${OPEN} ${FOREVER}`;
const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n';
const PAGE = '<!doctype html><html><head><title>App</title></head><body></body></html>';

const graph = () => addGraph({ size: 64, shardBytes: 64 });
const lastOf = (model) => shardsOf(model).at(-1).path;

// A busy machine makes any host slow: that is said with `slow` alone.
async function doctor(url, words = [], { slow = false, ...options } = {}) {
	const done = await modelctl(undefined, ['doctor', url, '--json', ...words], options);
	assert.ok(done.code === 0 || done.code === INVALID, done.stderr);
	const { breaks } = done.json;
	const findings = done.json.findings.filter(({ rule }) => slow || rule !== 'answer.slow');
	assert.equal(breaks, done.code === INVALID);
	assert.equal(breaks, findings.some(({ severity }) => severity === 'error'));
	return { ...done.json, findings, rules: findings.map(({ rule }) => rule),
		find: (rule) => findings.find((finding) => finding.rule === rule) };
}

// An answer that is right, of which a test changes something.
const right = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=31536000, immutable' };
const good = (bytes) => file(bytes, { fields: { ...right, 'Content-Type': isJson(bytes) ? 'application/json' : 'application/octet-stream' } });
const isJson = (bytes) => String(bytes.subarray(0, 1)) === '{';

async function scripted(t, model = graph()) {
	const origin = await startOrigin(t);
	return origin.serve('/m', model, good);
}

// ---- nginx ----

// Each: lines of its server, changes to the folder, where model.json is, all that is to be said, and about
// what the first of it is.
const wrongWays = {
	'nothing': { more: RIGHT, rules: [] },
	'no CORS at all': { more: FOREVER, rules: ['cors.missing'] },
	'CORS for model.json alone': {
		more: `location ~ json$ { ${RIGHT} } location / { ${FOREVER} }`, rules: ['cors.missing'], about: /bin$/,
	},
	'a location whose add_header hides that of the server': {
		more: `${OPEN} location ~ bin$ { ${FOREVER} } location / { ${RIGHT} }`, rules: ['cors.missing'], about: /bin$/,
	},
	'CORS for another page': {
		more: `add_header Access-Control-Allow-Origin https://other.example; ${FOREVER}`, rules: ['cors.other-origin'],
	},
	'CORS added twice': { more: `${OPEN} ${RIGHT}`, rules: ['cors.several'] },
	'an origin that is echoed without Vary': {
		more: `add_header Access-Control-Allow-Origin $http_origin; ${FOREVER}`, rules: ['cors.vary'],
	},
	'a single-page app in place of model.json': {
		more: `${RIGHT} location / { try_files $uri /index.html; }`, url: '/elsewhere/model.json', rules: ['answer.page'],
	},
	'a single-page app in place of a shard': {
		more: `${RIGHT} location / { try_files $uri /index.html; }`, change: (dir, model) => fs.rmSync(path.join(dir, lastOf(model))),
		rules: ['answer.page', 'weights.too-long'], about: /bin$/,
	},
	'no model.json': { more: RIGHT, url: '/elsewhere/model.json', rules: ['model.status'] },
	'a shard that is not there': {
		more: RIGHT, change: (dir, model) => fs.rmSync(path.join(dir, lastOf(model))), rules: ['shard.status'], about: /bin$/,
	},
	'shards that are forbidden': { more: `${RIGHT} location ~ bin$ { deny all; }`, rules: ['shard.status'], about: /bin$/ },
	'a shard cut short': {
		more: RIGHT, change: (dir, model) => fs.truncateSync(path.join(dir, lastOf(model)), 7), rules: ['weights.too-short'],
	},
	'a shard too long': {
		more: RIGHT, change: (dir, model) => fs.appendFileSync(path.join(dir, lastOf(model)), 'more'), rules: ['weights.too-long'],
	},
	'an LFS pointer in place of model.json': {
		more: RIGHT, change: (dir) => fs.writeFileSync(path.join(dir, 'model.json'), LFS), rules: ['answer.lfs-pointer'],
	},
	'files stored compressed and not declared': {
		more: RIGHT, change: zipAll, rules: ['coding.undeclared'],
	},
	'files stored compressed and compressed again': {
		more: `${RIGHT} gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any;`, change: zipAll, rules: ['coding.twice'],
	},
	'a coding that is declared and is not there': {
		more: `${RIGHT} add_header Content-Encoding gzip;`, rules: ['coding.broken'],
	},
	'a precompressed copy that is another file': {
		more: `${RIGHT} gzip_static on;`, rules: ['weights.too-short'],
		change: (dir, model) => fs.writeFileSync(path.join(dir, `${lastOf(model)}.gz`), zlib.gzipSync(Buffer.alloc(8))),
	},
	'an error page with status 200': {
		more: `${RIGHT} error_page 404 =200 /index.html;`, change: (dir, model) => fs.rmSync(path.join(dir, lastOf(model))),
		rules: ['answer.page', 'weights.too-long'], about: /bin$/,
	},
	'credentials allowed beside a star': {
		more: `${RIGHT} add_header Access-Control-Allow-Credentials true;`, rules: ['cors.credentials-star'],
	},
	'a model.json that is called plain text': {
		more: `location ~ json$ { ${RIGHT} types { text/plain json; } } location / { ${RIGHT} }`, rules: ['model.type'],
	},
	'immutable shards under names that stay': {
		more: `location ~ json$ { ${OPEN} ${ASKS} } location / { ${RIGHT} }`, rules: ['cache.tears'], about: /bin$/,
	},
	'a redirect within the host': {
		more: `${RIGHT} location = /latest/model.json { return 302 /model.json; } ` +
			'location /latest/ { rewrite ^/latest/(.*)$ /$1 break; }',
		url: '/latest/model.json', rules: ['redirect.followed'],
	},
	'a redirect whose folder has no shards': {
		more: `${RIGHT} location = /latest/model.json { return 302 /model.json; }`, url: '/latest/model.json',
		rules: ['shard.status', 'redirect.followed'], about: /latest.*bin$/,
	},
	'a redirect without CORS': {
		more: `location = /latest/model.json { return 302 /model.json; } location / { ${RIGHT} } ` +
			`location /latest/ { ${RIGHT} rewrite ^/latest/(.*)$ /$1 break; }`,
		url: '/latest/model.json', rules: ['cors.missing', 'redirect.followed'], about: /latest\/model\.json$/,
	},
	'a redirect in a circle': { more: `${RIGHT} return 302 /model.json;`, rules: ['redirect.followed', 'redirect.broken'] },
	'the defaults, with Last-Modified alone': { more: OPEN, rules: ['cache.stale'] },
	'shards that are kept beside a model.json that is not': {
		more: `location ~ json$ { ${OPEN} ${ASKS} } location / { ${OPEN} expires 1h; }`, rules: ['cache.tears'], about: /bin$/,
	},
	'a model.json that is kept beside shards that are not': {
		more: `location ~ json$ { ${OPEN} expires 30d; } location / { ${OPEN} ${ASKS} }`, rules: ['cache.tears'], about: /bin$/,
	},
	'files that are always asked for, with nothing to ask with': {
		more: `${OPEN} ${ASKS} etag off; add_header Last-Modified "";`, rules: ['cache.validator'],
	},
};

function zipAll(dir) {
	for (const name of fs.readdirSync(dir)) {
		fs.writeFileSync(path.join(dir, name), zlib.gzipSync(fs.readFileSync(path.join(dir, name))));
	}
}

describe('nginx that is wrong', () => {
	for (const [name, { more, change, url = '/model.json', rules, about }] of Object.entries(wrongWays)) {
		test(name, async (t) => {
			const model = graph();
			const root = folderOf(model);
			fs.writeFileSync(path.join(root, 'index.html'), PAGE);
			change?.(root, model);
			const nginx = await startNginx(t, { root, more });
			const { findings, rules: said } = await doctor(nginx.url(url));
			assert.deepEqual([...new Set(said)].sort(), [...rules].sort(), JSON.stringify(findings, null, 1));
			for (const { fix, message } of findings) {
				assert.ok(fix && message);
			}
			if (about) {
				assert.match(findings.find(({ rule }) => rule === rules[0]).url, about);
			}
		});
	}

	test('which setting of nginx to change is said', async (t) => {
		const nginx = await startNginx(t, { root: folderOf(graph()), more: FOREVER });
		const { find } = await doctor(nginx.url('/model.json'));
		assert.equal(find('cors.missing').host, 'nginx');
		assert.match(find('cors.missing').fix, /every redirect\. nginx: add_header Access-Control-Allow-Origin \* always;/);
		const people = await modelctl(undefined, ['doctor', nginx.url('/model.json')]);
		assert.match(people.stdout, /^ {2}Send .* nginx: add_header Access-Control-Allow-Origin \* always;/m);
	});

	test('a page with credentials needs its own origin and a word for it', async (t) => {
		const words = ['--credentials'];
		const star = await startNginx(t, { root: folderOf(graph()), more: RIGHT });
		const { rules, find } = await doctor(star.url('/model.json'), words);
		assert.deepEqual(rules, ['cors.credentials']);
		assert.match(find('cors.credentials').message, /is \*/);
		const own = `add_header Access-Control-Allow-Origin $http_origin; add_header Vary Origin; ${FOREVER}`;
		const silent = await startNginx(t, { root: folderOf(graph()), more: own });
		assert.match((await doctor(silent.url('/model.json'), words)).find('cors.credentials').message, /no Access-Control-Allow-Credentials/);
		const all = await startNginx(t, { root: folderOf(graph()), more: `${own} add_header Access-Control-Allow-Credentials true;` });
		assert.deepEqual((await doctor(all.url('/model.json'), words)).rules, []);
	});

	test('immutable shards whose names say their bytes, or their version, are fine', async (t) => {
		const more = `location ~ json$ { ${OPEN} ${ASKS} } location / { ${RIGHT} }`;
		const weight = floatWeight('w', [8], new Float32Array(8).fill(1));
		const model = assemble({}, [weight], [{ path: 'group1-shard1of1.3f9ac01b.bin', bytes: weight.bytes }]);
		const hashed = await startNginx(t, { root: folderOf(model), more });
		assert.deepEqual((await doctor(hashed.url('/model.json'))).rules, []);
		const queried = await startNginx(t, { root: folderOf(graph()), more });
		assert.deepEqual((await doctor(queried.url('/model.json?v=7'))).rules, []);
	});

	test('what is said of many files is said once, with their number', async (t) => {
		const model = graph();
		const nginx = await startNginx(t, { root: folderOf(model), more: FOREVER });
		const { findings } = await doctor(nginx.url('/model.json'));
		assert.equal(findings.length, 1);
		assert.equal(findings[0].more, model.files.length - 1);
	});

	test('a page of the same origin needs no CORS', async (t) => {
		const nginx = await startNginx(t, { root: folderOf(graph()), more: FOREVER });
		assert.deepEqual((await doctor(nginx.url('/model.json'), ['--origin', nginx.url('/')])).rules, []);
	});

	test('headers need a preflight that allows them', async (t) => {
		const header = ['--header', 'Authorization: Bearer x', '--header', 'X-Key: 1'];
		const without = await startNginx(t, { root: folderOf(graph()), more: RIGHT });
		assert.equal((await doctor(without.url('/model.json'), header)).find('preflight.status').more, shardsOf(graph()).length);
		const answered = (allow) => `${RIGHT} location / { if ($request_method = OPTIONS) { ${OPEN}
			add_header Access-Control-Allow-Headers "${allow}"; return 204; } }`;
		const star = await startNginx(t, { root: folderOf(graph()), more: answered('*') });
		const { rules, find } = await doctor(star.url('/model.json'), header);
		assert.deepEqual(rules, ['preflight.headers']);
		assert.match(find('preflight.headers').message, /the header authorization/);
		const all = await startNginx(t, { root: folderOf(graph()), more: answered('authorization, X-Key') });
		assert.deepEqual((await doctor(all.url('/model.json'), header)).rules, []);
	});

	test('with --head only the beginning of each shard is read', async (t) => {
		const model = addGraph({ size: 65536, shardBytes: 65536 });
		const root = folderOf(model);
		const nginx = await startNginx(t, { root, more: RIGHT });
		const { rules, bytes } = await doctor(nginx.url('/model.json'), ['--head']);
		assert.deepEqual(rules, []);
		assert.equal(bytes, shardsOf(model).reduce((sum, shard) => sum + shard.bytes.length, 0));
		for (const { target, bytes: sent } of (await nginx.told()).filter(({ target }) => target.endsWith('.bin'))) {
			assert.ok(sent <= 512, `${target}: ${sent} bytes`);
		}
		fs.truncateSync(path.join(root, lastOf(model)), 0);
		assert.deepEqual((await doctor(nginx.url('/model.json'), ['--head'])).rules, ['weights.too-short']);
	});
});

// ---- hosts of a script ----

describe('a host that no server would be', () => {
	test('a Content-Length of what was not coded', async (t) => {
		const origin = await scripted(t);
		const bytes = Buffer.alloc(4096);
		const coded = zlib.gzipSync(bytes);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(200, { ...right, 'Content-Encoding': 'gzip', 'Content-Length': bytes.length });
			await exchange.write(coded);
			await exchange.close();
		});
		assert.deepEqual((await doctor(origin.url('/m/model.json'))).rules, ['coding.length']);
	});

	test('a connection that ends early', async (t) => {
		const origin = await scripted(t);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(200, { ...right, 'Content-Length': 64 });
			await exchange.write(Buffer.alloc(10));
			await exchange.close();
		});
		const { rules, find } = await doctor(origin.url('/m/model.json'));
		assert.deepEqual(rules, ['answer.cut']);
		assert.match(find('answer.cut').message, /after 10 bytes/);
	});

	test('a page, and an LFS pointer, that are as long as the shard', async (t) => {
		for (const [rule, text] of [['answer.page', PAGE], ['answer.lfs-pointer', LFS]]) {
			const bytes = utf8(text.padEnd(128));
			const weight = floatWeight('w', [32], new Float32Array(32));
			const origin = await scripted(t, assemble({}, [weight], [{ path: 'w.bin', bytes }]));
			assert.ok((await doctor(origin.url('/m/model.json'))).rules.includes(rule), rule);
		}
	});

	test('a redirect to a foreign host makes the Origin null, and Authorization is lost', async (t) => {
		const there = await scripted(t);
		const here = await startOrigin(t);
		here.fallback = async (exchange) => {
			if (exchange.request.method === 'OPTIONS') {
				await status(204, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization' })(exchange);
				return;
			}
			await status(302, { ...right, Location: there.url(exchange.request.target) })(exchange);
		};
		const { rules } = await doctor(here.url('/m/model.json'), ['--header', 'Authorization: Bearer x']);
		assert.deepEqual([...new Set(rules)], ['redirect.authorization', 'redirect.followed']);
		assert.equal(there.seen('/m/model.json')[0].headers.origin, 'null');
		assert.equal(there.seen('/m/model.json')[0].headers.authorization, undefined);
		assert.equal(here.seen('/m/model.json')[1].headers.authorization, 'Bearer x');
	});

	test('http for a page of https, told of hosts that are not this machine', async (t) => {
		const proxy = await startOrigin(t);
		const model = graph();
		for (const { path: name, bytes } of model.files) {
			proxy.on(`http://models.example/m/${name}`, good(Buffer.from(bytes)));
		}
		const env = { http_proxy: proxy.origin };
		const url = 'http://models.example/m/model.json';
		assert.deepEqual((await doctor(url, [], { env })).rules, ['url.mixed']);
		assert.deepEqual((await doctor(url, ['--origin', 'http://example.com'], { env })).rules, []);
	});

	test('a Location that leads nowhere', async (t) => {
		const origin = await startOrigin(t);
		origin.on('/m/model.json', status(302, right));
		origin.on('/n/model.json', async (exchange) => status(302, { ...right, Location: 'ftp://x/y' })(exchange));
		assert.deepEqual((await doctor(origin.url('/m/model.json'))).rules, ['redirect.broken']);
		assert.deepEqual((await doctor(origin.url('/n/model.json'))).rules, ['redirect.broken']);
	});

	test('a shard whose host is gone', async (t) => {
		const origin = await scripted(t);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => exchange.reset());
		assert.deepEqual((await doctor(origin.url('/m/model.json'))).rules, ['answer.none']);
	});

	test('a shard without an end is not read to it', async (t) => {
		const origin = await scripted(t);
		const piece = Buffer.alloc(1 << 20);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(200, right);
			while (!exchange.closed) {
				await exchange.write(piece);
			}
		});
		const { rules, find } = await doctor(origin.url('/m/model.json'));
		assert.deepEqual(rules, ['weights.too-long']);
		assert.match(find('weights.too-long').message, /more than 64 MiB/);
	});

	test('a host that lets wait', async (t) => {
		const origin = await scripted(t);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(200, { ...right, 'Content-Length': 64 });
			await new Promise((resolve) => setTimeout(resolve, 5200));
			await exchange.write(Buffer.from(shardsOf(graph()).at(-1).bytes));
		});
		const { rules, findings } = await doctor(origin.url('/m/model.json'), [], { slow: true });
		assert.deepEqual([...new Set(rules)], ['answer.slow']);
		const after = findings.map(({ message }) => Number(/the first byte came after (\d+) s/.exec(message)?.[1]));
		assert.ok(after.some((seconds) => seconds >= 5), JSON.stringify(findings));
	});

	test('a shard of 2 GiB, by its headers', async (t) => {
		const origin = await scripted(t);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(206, { ...right, 'Content-Range': 'bytes 0-511/2147483648', 'Content-Length': 512 });
			await exchange.write(Buffer.alloc(512));
		});
		assert.ok((await doctor(origin.url('/m/model.json'), ['--head'])).rules.includes('shard.too-large'));
	});

	test('a shard whose size no header tells', async (t) => {
		const origin = await scripted(t);
		origin.on(`/m/${lastOf(graph())}`, async (exchange) => {
			await exchange.head(200, right);
			await exchange.write(Buffer.alloc(4096));
			await exchange.close();
		});
		assert.deepEqual((await doctor(origin.url('/m/model.json'), ['--head'])).rules, ['shard.size-unknown']);
	});
});

// ---- URLs and models ----

describe('what no host can repair', () => {
	test('a / in the query, and a second ?', async (t) => {
		const origin = await scripted(t);
		assert.deepEqual((await doctor(origin.url('/m/model.json?sig=a/b'))).rules, ['url.query-slash']);
		assert.deepEqual(origin.targets(), ['/m/model.json?sig=a/b']);
		assert.deepEqual((await doctor(origin.url('/m/model.json?a=1?b=2'))).rules, ['url.query-twice']);
		assert.ok(origin.targets().includes(`/m/${lastOf(graph())}?b=2`));
		assert.deepEqual((await doctor(origin.url('/m/model.json?sig=a%2Fb'))).rules, []);
	});

	test('credentials of the query are not printed', async (t) => {
		const origin = await startOrigin(t);
		const done = await modelctl(undefined, ['doctor', origin.url('/m/model.json?sig=geheim')]);
		assert.doesNotMatch(done.stdout + done.stderr, /geheim/);
	});

	test('a layout that loads as zeros', async (t) => {
		const weights = [1, 2, 3].map((i) => floatWeight(`w${i}`, [8], new Float32Array(8).fill(i)));
		const bytes = concat(weights.map((weight) => weight.bytes));
		const shards = [{ path: 'a.bin', bytes: bytes.slice(0, 32) }, { path: 'b.bin', bytes: bytes.slice(32) }];
		const origin = await scripted(t, assemble({}, weights, shards));
		for (const words of [[], ['--head']]) {
			assert.deepEqual((await doctor(origin.url('/m/model.json'), words)).rules, ['weights.shard-layout']);
		}
	});

	test('a model of Keras 3', async (t) => {
		const model = withJson(denseModel({ inputs: 3 }), (json) => {
			json.modelTopology.keras_version = '3.5.0';
			const [input] = json.modelTopology.config.layers;
			input.config.batch_shape = input.config.batch_input_shape ?? [null, 3];
			delete input.config.batch_input_shape;
			return json;
		});
		const { rules, breaks } = await doctor((await scripted(t, model)).url('/m/model.json'));
		assert.ok(rules.includes('keras3.version'), rules.join());
		assert.ok(breaks);
	});

	test('what lint says of model.json', async (t) => {
		const model = withJson(graph(), (json) => {
			json.modelTopology.node[2].input = ['x', 'nowhere'];
			return json;
		});
		const { findings } = await doctor((await scripted(t, model)).url('/m/model.json'));
		const lint = await modelctl(undefined, ['lint', folderOf(model), '--json']);
		assert.deepEqual(findings.map(({ rule, message, pointer }) => ({ rule, message, pointer })),
			lint.json.findings.map(({ rule, message, pointer }) => ({ rule, message, pointer })));
		assert.ok(findings.length > 0);
	});

	test('shards of folders beside and below', async (t) => {
		const plain = graph();
		const origin = await scripted(t, plain);
		const paths = (change) => Buffer.from(withJson(plain, (json) => {
			json.weightsManifest[0].paths = json.weightsManifest[0].paths.map(change);
			return json;
		}).files.find(({ path: name }) => name === 'model.json').bytes);
		origin.on('/n/model.json', good(paths((name) => `../m/${name}`)));
		assert.deepEqual((await doctor(origin.url('/n/model.json'))).rules, []);
		origin.on('/n/model.json', good(paths((name, i) => (i > 0 ? `../m/sub/../${name}` : name))));
		assert.ok((await doctor(origin.url('/n/model.json'))).rules.includes('manifest.path'));
		for (const { path: name, bytes } of shardsOf(plain)) {
			origin.on(`/k/deep/${name}`, good(Buffer.from(bytes))).on(`/k/${name}`, good(Buffer.from(bytes)));
		}
		origin.on('/n/model.json', good(paths((name, i) => (i > 0 ? `../k/${name}` : `../k/deep/${name}`))));
		assert.deepEqual((await doctor(origin.url('/n/model.json'))).rules.filter((rule) => rule !== 'weights.shard-order'), []);
	});

	test('strings are walked', async (t) => {
		const weight = stringWeight('s', [2], ['one', 'two']);
		const origin = await scripted(t, assemble({}, [weight], [{ path: 's.bin', bytes: weight.bytes }]));
		assert.deepEqual((await doctor(origin.url('/m/model.json'))).rules, []);
	});
});

// ---- modeld, people, faults ----

describe('modeld', () => {
	const daemon = useDaemon();

	test('has nothing wrong, by version, label and bare name, with headers too', async () => {
		await published(daemon, 'm', graph());
		await request(daemon, 'PUT', '/v1/models/m/labels/stable', {
			headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ version: 1 }) });
		for (const name of ['m@1', 'm@stable', 'm']) {
			for (const words of [[], ['--head'], ['--header', 'Authorization: Bearer x']]) {
				const { rules, kind, shards } = await doctor(`${daemon.origin}/models/${name}/model.json`, words);
				assert.deepEqual(rules, [], `${name} ${words}`);
				assert.equal(kind, 'graph-model');
				assert.equal(shards, shardsOf(graph()).length);
			}
		}
	});

	test('has nothing wrong as a hub that fromTFHub: true loads from', async (t) => {
		await published(daemon, 'hub/m', graph());
		const done = await doctor(`${daemon.origin}/models/hub/m@1`, ['--tf-hub']);
		assert.deepEqual(done.rules, []);
		assert.equal(done.url, `${daemon.origin}/models/hub/m@1/model.json?tfjs-format=file`);
		const origin = await startOrigin(t);
		origin.fallback = status(404, right);
		await doctor(origin.url('/m/1/'), ['--tf-hub']);
		assert.deepEqual(origin.targets(), ['/m/1/model.json?tfjs-format=file']);
	});

	test('people read what breaks, where, and what to change', async (t) => {
		const url = `${daemon.origin}/models/none/model.json`;
		const none = await modelctl(undefined, ['doctor', url]);
		assert.equal(none.code, INVALID);
		assert.match(none.stdout, /^error model\.status http:\S+\/models\/none\/model\.json: the answer is 404\n {2}Put model\.json/);
		assert.match(none.stdout, /: 1 thing to repair before a page of https:\/\/example\.com can load it\n$/);
		const origin = await scripted(t);
		const fine = await modelctl(undefined, ['doctor', origin.url('/m/model.json')]);
		assert.equal(fine.code, 0);
		assert.match(fine.stdout, /a page of https:\/\/example\.com can load it: graph-model, \d+ shards?, /);
		assert.equal((await modelctl(undefined, ['doctor', '-q', origin.url('/m/model.json')])).stdout, '');
	});

	test('a host that does not answer, and what is no URL', async () => {
		assert.equal((await modelctl(undefined, ['doctor', 'http://127.0.0.1:1/model.json'])).code, NETWORK);
		for (const words of [['model.json'], ['http://h/m', '--origin', 'https://x/y'], ['http://h/m', '--header', 'x']]) {
			const done = await modelctl(undefined, ['doctor', ...words]);
			assert.equal(done.code, USAGE, done.stderr);
		}
	});
});

// ---- hosts by name ----

// A host of that name is reached by a proxy, which answers for it.
describe('a host that is known by its name', () => {
	const hosts = {
		'bucket.s3.eu-west-1.amazonaws.com': ['Amazon S3', /put-bucket-cors/],
		'storage.googleapis.com': ['Google Cloud Storage', /gcloud storage buckets update/],
		'app.web.app': ['Firebase Hosting', /firebase\.json/],
		'github.com': ['github.com', /raw\.githubusercontent\.com/],
		'd1.cloudfront.net': ['CloudFront', /SimpleCORS/],
	};
	for (const [host, [name, said]] of Object.entries(hosts)) {
		test(`${name} is told which setting to change`, async (t) => {
			const proxy = await startOrigin(t);
			const { 'Cache-Control': forever } = right;
			for (const { path: file_, bytes } of graph().files) {
				proxy.on(`http://${host}/m/${file_}`, file(Buffer.from(bytes), { fields: { 'Cache-Control': forever } }));
			}
			const { find } = await doctor(`http://${host}/m/model.json`, ['--origin', 'http://example.com'],
				{ env: { http_proxy: proxy.origin } });
			assert.equal(find('cors.missing').host, name);
			assert.match(find('cors.missing').fix, said);
		});
	}

	test('a host whose name only looks alike is not', async (t) => {
		const proxy = await startOrigin(t);
		proxy.fallback = status(404, { Server: 'mine' });
		const { findings } = await doctor('http://notgithub.com/m/model.json', ['--origin', 'http://example.com'],
			{ env: { http_proxy: proxy.origin } });
		assert.ok(findings.length > 0 && findings.every(({ host }) => host === undefined));
	});

	test('LFS pointers and caching of GitHub and jsDelivr are told', async (t) => {
		for (const [host, rule, said] of [
			['raw.githubusercontent.com', 'answer.lfs-pointer', /media\.githubusercontent\.com/],
			['cdn.jsdelivr.net', 'answer.lfs-pointer', /npm/],
			['user.github.io', 'answer.lfs-pointer', /lfs: true/],
		]) {
			const proxy = await startOrigin(t);
			proxy.on(`http://${host}/m/model.json`, good(Buffer.from(LFS)));
			const { find } = await doctor(`http://${host}/m/model.json`, ['--origin', 'http://example.com'],
				{ env: { http_proxy: proxy.origin } });
			assert.match(find(rule).fix, said);
		}
	});
});
