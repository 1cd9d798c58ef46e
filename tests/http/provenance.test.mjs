// SPDX-License-Identifier: Apache-2.0
// Where a version comes from: who published it, and what was fetched where; kept with it, and told to those
// who may publish.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { scratchDir, startDaemon, until } from '../lib/daemon.mjs';
import { get, multipart, partsOf, post, published } from '../lib/http.mjs';
import { FROM_HERE } from '../lib/imports.mjs';
import { modelctl } from '../lib/modelctl.mjs';
import { addGraph, badlyCut, denseModel } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { bearer, idOf, makeToken } from '../lib/tokens.mjs';

const of = async (daemon, ref, headers = {}) =>
	(await get(daemon, `/v1/models/${ref.replace('@', '/versions/')}`, headers)).json.provenance;

async function hosted(t, model) {
	const origin = await startOrigin(t);
	return origin.serve('/m', model, (bytes) => file(bytes));
}

const save = (daemon, name, token, model) =>
	post(daemon, `/models/${name}`, multipart(partsOf(model)), { headers: bearer(token) });

test('a version tells who published it, also after a restart, and nothing of it once it is deleted', async (t) => {
	const store = path.join(scratchDir('provenance'), 'store');
	const set = { 'auth.anonymous': 'read' };
	const first = await startDaemon(t, { store, set });
	const token = await makeToken(first, '--scope', 'admin', '--name', 'alice');
	assert.equal((await save(first, 'm', token, denseModel({ seed: 1 }))).status, 201);
	assert.equal((await save(first, 'm', token, denseModel({ seed: 2 }))).status, 201);
	const expected = { published_by: `alice (${idOf(token)})`, source: 'upload' };
	assert.deepEqual(await of(first, 'm@1', bearer(token)), expected);
	await first.stop();
	const second = await startDaemon(t, { store, set });
	assert.deepEqual(await of(second, 'm@2', bearer(token)), expected);
	const shown = await modelctl(second, ['show', 'm@2'], { env: { MODELCTL_TOKEN: token } });
	assert.match(shown.stdout, new RegExp(`^ {2}published by alice \\(${idOf(token)}\\)\\n {2}came by +upload$`, 'm'));
	await second.stop();
});

test('who may read and not publish is not told', async (t) => {
	const daemon = await startDaemon(t, { set: { 'auth.anonymous': 'read' } });
	const token = await makeToken(daemon, '--scope', 'publish', '--models', 'm');
	const reader = await makeToken(daemon, '--scope', 'read');
	assert.equal((await save(daemon, 'm', token, denseModel())).status, 201);
	assert.ok(await of(daemon, 'm@1', bearer(token)));
	for (const headers of [{}, bearer(reader)]) {
		assert.equal(await of(daemon, 'm@1', headers), undefined);
		const { text } = await get(daemon, '/models/m@1', { accept: 'application/json', ...headers });
		assert.doesNotMatch(text, /provenance/);
	}
	await daemon.stop();
});

test('addresses of clients are not kept', async (t) => {
	const daemon = await startDaemon(t, { set: FROM_HERE });
	await published(daemon, 'm', denseModel());
	assert.deepEqual(await of(daemon, 'm@1'), { source: 'upload' });
	const origin = await hosted(t, addGraph());
	const done = await modelctl(daemon, ['import', origin.url('/m/model.json'), 'i', '-w']);
	assert.equal(done.code, 0, done.stderr);
	assert.deepEqual(await of(daemon, 'i@1'), { source: 'import', url: origin.url('/m/model.json') });
	await daemon.stop();
});

test('an import tells its source without what may be a credential', async (t) => {
	const daemon = await startDaemon(t, { set: FROM_HERE });
	const origin = await hosted(t, addGraph());
	const done = await modelctl(daemon, ['import', origin.url('/m/model.json?sig=geheim'), 'i', '-w']);
	assert.equal(done.code, 0, done.stderr);
	const { url } = await of(daemon, 'i@1');
	assert.ok(url.startsWith(origin.url('/m/model.json')), url);
	assert.doesNotMatch(url, /geheim/);
	const shown = await modelctl(daemon, ['show', 'i']);
	assert.match(shown.stdout, /^ {2}came from +http:\S+\/m\/model\.json/m);
	assert.match(shown.stdout, /^ {2}came by +import$/m);
	assert.match(shown.stdout, /^ {2}converted by TensorFlow\.js Converter/m);
	await daemon.stop();
});

test('a mirror is named', async (t) => {
	const source = await startDaemon(t);
	await published(source, 'origin', denseModel());
	const url = source.url('/models/origin/model.json');
	const mirror = await startDaemon(t, { set: { 'import.allow': '127.0.0.1', 'import.sources': `team/copy@stable=${url}|1s` } });
	await until('the version', async () => (await get(mirror, '/v1/models/team/copy')).status === 200);
	const found = await of(mirror, 'team/copy@1');
	assert.equal(found.source, 'mirror');
	assert.equal(found.mirror, 'team/copy@stable');
	assert.equal(found.url, url);
	assert.match((await modelctl(mirror, ['show', 'team/copy'])).stdout, /^ {2}came by +the mirror team\/copy@stable$/m);
	await mirror.stop();
	await source.stop();
});

test('a repair tells what it was before', async (t) => {
	const daemon = await startDaemon(t);
	await published(daemon, 'm', badlyCut());
	const shown = await modelctl(daemon, ['show', 'm']);
	assert.match(shown.stdout, /^ {2}repaired +weights\.shard-layout, of sha256:[0-9a-f]{64}$/m);
	await daemon.stop();
});
