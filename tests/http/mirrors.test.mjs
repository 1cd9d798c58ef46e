// SPDX-License-Identifier: Apache-2.0
// Mirrors: models that are kept like those of another daemon.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';

import { runModeld, scratchDir, startDaemon, until } from '../lib/daemon.mjs';
import { get, published } from '../lib/http.mjs';
import { metric } from '../lib/metrics.mjs';
import { denseModel } from '../lib/models.mjs';
import { bearer, makeToken } from '../lib/tokens.mjs';

const model = (fill) => denseModel({ fill, metadata: { fill } });

function startMirror(t, source, { interval = '1s', store } = {}) {
	return startDaemon(t, { store, set: {
		'import.allow': '127.0.0.1',
		'import.sources': `team/copy@stable=${source.url('/models/origin/model.json')}|${interval}`,
	} });
}

// For several daemons, one after the other.
const newStore = () => path.join(scratchDir('mirrors'), 'store');

const labelled = async (daemon) =>
	(await get(daemon, '/v1/models/team/copy/labels/stable')).json?.version;

async function awaitVersion(daemon, version) {
	await until(`version ${version} of the mirror`, async () => (await labelled(daemon)) === version);
}

async function assertServes(daemon, version, { files }) {
	for (const file of files) {
		const answer = await get(daemon, `/models/team/copy@${version}/${file.path}`);
		assert.equal(answer.status, 200, file.path);
		assert.deepEqual(answer.body, Buffer.from(file.bytes), file.path);
	}
}

describe('a mirror', () => {
	test('becomes a version for each of the source, with its label, and none when nothing is new', async (t) => {
		const source = await startDaemon(t);
		await published(source, 'origin', model(1));
		const mirror = await startMirror(t, source);
		await awaitVersion(mirror, 1);
		await assertServes(mirror, 1, model(1));

		const looks = () => (mirror.stderr.match(/import found nothing new/g) ?? []).length;
		await until('looks that find nothing', async () => looks() > 1);
		const { json } = await get(mirror, '/v1/models/team/copy');
		assert.deepEqual(json.versions.map(({ version }) => version), [1]);

		await published(source, 'origin', model(2));
		await awaitVersion(mirror, 2);
		await assertServes(mirror, 2, model(2));
		await assertServes(mirror, 1, model(1));
		await mirror.stop();
	});

	test('that fails leaves what is served, also after kill -9, and works again with its source', async (t) => {
		const source = await startDaemon(t, { store: newStore() });
		await published(source, 'origin', model(1));
		const killed = await startMirror(t, source, { store: newStore() });
		await awaitVersion(killed, 1);
		await source.stop();
		await until('a failure', async () => /a mirror fails.*mirror=team\/copy@stable/.test(killed.stderr));
		const { status, json: { failing_mirrors: [failing, ...others] } } = await get(killed, '/readyz');
		assert.equal(status, 200);
		assert.deepEqual(others, []);
		assert.equal(failing.name, 'team/copy@stable');
		assert.ok(failing.failures > 0 && failing.error, JSON.stringify(failing));
		assert.ok(Date.parse(failing.last_good) <= Date.parse(failing.since), JSON.stringify(failing));
		assert.equal(await metric(killed, 'modeld_mirrors_failing'), 1);
		assert.equal(await metric(killed, 'modeld_mirrors'), 1);
		await killed.kill();
		const mirror = await startMirror(t, source, { store: killed.store });
		assert.equal(await labelled(mirror), 1);
		await assertServes(mirror, 1, model(1));

		const again = await startDaemon(t, { store: source.store, listen: `127.0.0.1:${source.port}` });
		await published(again, 'origin', model(2));
		await awaitVersion(mirror, 2);
		await until('the log to say so', async () =>
			/a mirror works again.*mirror=team\/copy@stable/.test(mirror.stderr));
		assert.deepEqual((await get(mirror, '/readyz')).json, { status: 'ok' });
		await mirror.stop();
	});

	test('that fails is named to whoever may read its model', async (t) => {
		const daemon = await startDaemon(t, { set: { 'import.allow': '127.0.0.1', 'auth.anonymous': 'read=public/**',
			'import.sources': ['public/a', 'secret/b'].map((name) => `${name}=http://127.0.0.1:1/model.json`).join(' ') } });
		const named = async (headers) => {
			const { status, json } = await get(daemon, '/readyz', headers);
			assert.equal(status, 200);
			return [(json.failing_mirrors ?? []).map(({ name }) => name), json.failing_mirrors_omitted];
		};
		await until('both to fail', () => daemon.stderr.match(/a mirror fails/g)?.length === 2);
		assert.deepEqual(await named({}), [['public/a'], 1]);
		assert.deepEqual(await named({ authorization: 'Bearer mdl_none' }), [['public/a'], 1], 'no token at all');
		const token = await makeToken(daemon, '--scope', 'read', '--models', 'secret/*');
		assert.deepEqual(await named(bearer(token)), [['public/a', 'secret/b'], undefined]);
		await daemon.stop();
	});

	test('is not looked at again after a restart before its time', async (t) => {
		const source = await startDaemon(t);
		await published(source, 'origin', model(1));
		const before = await startMirror(t, source, { interval: '1h', store: newStore() });
		await awaitVersion(before, 1);
		await until('the end of the look', async () => /msg=imported/.test(before.stderr));
		await before.stop();
		await published(source, 'origin', model(2));
		const mirror = await startMirror(t, source, { interval: '1h', store: before.store });
		await published(mirror, 'another', model(3));
		assert.doesNotMatch(mirror.stderr, /importing/);
		assert.equal(await labelled(mirror), 1);
		await mirror.stop();
	});
});

describe('modeld check-config', () => {
	test('judges the sources', async () => {
		const check = (sources) => runModeld(['check-config', '--config', '/dev/null', '--store', '/tmp',
			'--set', `import.sources=${sources}`]);
		assert.equal((await check('a=https://example.org/a|6h a@b=https://example.org/b')).code, 0);
		const { code, stderr } = await check('a=https://example.org/?key=secret|soon');
		assert.equal(code, 78);
		assert.match(stderr, /\[import\] sources: a=https:\/\/example\.org\/\?key=\*\*\*\|soon: expected a duration/);
	});
});
