// SPDX-License-Identifier: Apache-2.0
// Deletion: tombstones that keep their number for ever.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startDaemon, useDaemon } from '../lib/daemon.mjs';
import { assertProblem, assertQuietError, get, publish, published, request } from '../lib/http.mjs';
import { denseModel, shardsOf } from '../lib/models.mjs';

const model = (version) => denseModel({ fill: version, shardBytes: 20, metadata: { version } });
const remove = (daemon, target, headers) => request(daemon, 'DELETE', `/v1/models/${target}`, { headers });
const label = (daemon, name, to, version) => request(daemon, 'PUT', `/v1/models/${name}/labels/${to}`,
	{ body: JSON.stringify({ version }) });

async function versions(daemon, name, n) {
	for (let version = 1; version <= n; version++) {
		assert.equal((await published(daemon, name, model(version))).version, version);
	}
}

async function removed(daemon, target) {
	const answered = await remove(daemon, target);
	assert.equal(answered.status, 204, answered.text);
	assert.equal(answered.body.length, 0);
}

async function assertGone(daemon, name, version) {
	const [shard] = shardsOf(model(version));
	assertProblem(await get(daemon, `/v1/models/${name}/versions/${version}`), 410, 'DELETED');
	assertProblem(await get(daemon, `/models/${name}@${version}/model.json`), 410, 'DELETED');
	assertQuietError(await get(daemon, `/models/${name}@${version}/${shard.path}`), 410, 'DELETED');
	assertQuietError(await get(daemon, `/models/${name}@${version}/nothing.bin`), 410, 'DELETED');
	assertQuietError(await get(daemon, `/models/${name}@${version}`), 410, 'DELETED');
	assertProblem(await remove(daemon, `${name}/versions/${version}`), 410, 'DELETED');
	assertProblem(await label(daemon, name, 'dead', version), 410, 'DELETED');
}

async function assertThere(daemon, name, version) {
	for (const { path, bytes } of model(version).files) {
		const answered = await get(daemon, `/models/${name}@${version}/${path}`);
		assert.equal(answered.status, 200);
		assert.deepEqual(answered.body, Buffer.from(bytes));
	}
}

describe('deletion', () => {
	const daemon = useDaemon();

	test('of a version is 204, then 410 everywhere, though it was in memory', async () => {
		await versions(daemon, 'team/one', 3);
		for (const version of [1, 2, 3]) {
			await assertThere(daemon, 'team/one', version);
			await assertThere(daemon, 'team/one', version);
		}
		await removed(daemon, 'team/one/versions/2');
		await assertGone(daemon, 'team/one', 2);
		await assertThere(daemon, 'team/one', 1);
		await assertThere(daemon, 'team/one', 3);
		const shown = (await get(daemon, '/v1/models/team/one')).json;
		assert.deepEqual(shown.versions.map(({ version }) => version), [3, 1]);
		assert.deepEqual(shown.model_version_status.map(({ version }) => version), ['3', '1']);
		assert.equal(shown.versions_total, 2);
	});

	test('of a root digest that another version has leaves that one', async () => {
		await versions(daemon, 'root', 2);
		assert.equal((await published(daemon, 'root', model(1))).version, 3);
		const { root_digest: root } = (await get(daemon, '/v1/models/root/versions/1')).json;
		await removed(daemon, 'root/versions/3');
		assert.equal((await get(daemon, `/models/root@${root}/model.json`)).status, 200);
		await removed(daemon, 'root/versions/1');
		assertProblem(await get(daemon, `/models/root@${root}/model.json`), 410, 'DELETED');
	});

	test('latest is the newest that is left', async () => {
		await versions(daemon, 'latest', 3);
		const latest = async () => (await get(daemon, '/models/latest/model.json')).json.userDefinedMetadata.version;
		assert.equal(await latest(), 3);
		await removed(daemon, 'latest/versions/3');
		assert.equal(await latest(), 2);
		await removed(daemon, 'latest/versions/1');
		assert.equal(await latest(), 2);
		assert.equal((await get(daemon, '/v1/models?prefix=latest')).json.models[0].latest, 2);
		await removed(daemon, 'latest/versions/2');
		assertProblem(await get(daemon, '/models/latest/model.json'), 410, 'DELETED');
		assertQuietError(await get(daemon, '/models/latest@latest/w.bin'), 410, 'DELETED');
		assertProblem(await get(daemon, '/v1/models/latest'), 410, 'DELETED');
		assert.deepEqual((await get(daemon, '/v1/models?prefix=latest')).json.models, []);
	});

	test('is refused while a label points there', async () => {
		await versions(daemon, 'labelled', 2);
		await label(daemon, 'labelled', 'stable', 1);
		const { detail } = assertProblem(await remove(daemon, 'labelled/versions/1'), 409, 'CONFLICT');
		assert.match(detail, /stable/);
		await assertThere(daemon, 'labelled', 1);
		await label(daemon, 'labelled', 'stable', 2);
		await removed(daemon, 'labelled/versions/1');
		await assertGone(daemon, 'labelled', 1);
	});

	test('never frees a number', async () => {
		await versions(daemon, 'numbers', 2);
		await removed(daemon, 'numbers/versions/2');
		const again = await publish(daemon, 'numbers', model(2));
		assert.equal(again.status, 201);
		assert.equal(again.json.version, 3);
		await removed(daemon, 'numbers');
		assert.equal((await published(daemon, 'numbers', model(1))).version, 4);
		await assertGone(daemon, 'numbers', 1);
		assert.deepEqual((await get(daemon, '/v1/models/numbers')).json.versions.map(({ version }) => version), [4]);
	});

	test('of a model takes all versions and labels', async () => {
		await versions(daemon, 'whole', 3);
		await label(daemon, 'whole', 'stable', 1);
		assert.equal((await get(daemon, '/models/whole@stable/model.json')).status, 200);
		await removed(daemon, 'whole');
		for (const version of [1, 2, 3]) {
			await assertGone(daemon, 'whole', version);
		}
		assertProblem(await get(daemon, '/models/whole@stable/model.json'), 410, 'DELETED');
		assertProblem(await get(daemon, '/models/whole/model.json'), 410, 'DELETED');
		assertProblem(await get(daemon, '/v1/models/whole/labels/stable'), 410, 'DELETED');
		assertProblem(await get(daemon, '/v1/models/whole'), 410, 'DELETED');
		assertProblem(await remove(daemon, 'whole'), 410, 'DELETED');
		const { history } = (await get(daemon, '/v1/models/whole/labels/stable/history')).json;
		assert.deepEqual(history.map(({ from, to }) => [from, to]), [[1, null], [null, 1]]);
		await published(daemon, 'whole', model(3));
		assertProblem(await get(daemon, '/v1/models/whole/labels/stable'), 404, 'LABEL_NOT_FOUND');
	});

	test('of a model leaves those whose names begin with its name', async () => {
		await versions(daemon, 'a', 1);
		await versions(daemon, 'a/b', 1);
		await versions(daemon, 'ab', 1);
		await assertThere(daemon, 'a/b', 1);
		await removed(daemon, 'a');
		await assertThere(daemon, 'a/b', 1);
		await assertThere(daemon, 'ab', 1);
	});

	test('of what is not there is 404', async () => {
		await versions(daemon, 'there', 1);
		for (const [target, code] of [['none', 'MODEL_NOT_FOUND'], ['None', 'MODEL_NOT_FOUND'],
			['none/versions/1', 'MODEL_NOT_FOUND'], ['there/versions/2', 'VERSION_NOT_FOUND'],
			['there/versions/0', 'VERSION_NOT_FOUND'], ['there/versions/one', 'VERSION_NOT_FOUND'],
			['there/versions/stable', 'VERSION_NOT_FOUND']]) {
			assertProblem(await remove(daemon, target), 404, code);
		}
		await assertThere(daemon, 'there', 1);
	});

	test('is nothing for a page of another site', async () => {
		await versions(daemon, 'guarded', 1);
		for (const headers of [{ origin: 'https://example.com' }, { 'sec-fetch-site': 'cross-site' }]) {
			assertProblem(await remove(daemon, 'guarded', headers), 403, 'CROSS_SITE');
			assertProblem(await remove(daemon, 'guarded/versions/1', headers), 403, 'CROSS_SITE');
		}
		await assertThere(daemon, 'guarded', 1);
	});
});

test('what was deleted stays deleted after a kill, and numbers go on', async (t) => {
	const first = await startDaemon(t);
	await versions(first, 'm', 2);
	await versions(first, 'n', 1);
	await removed(first, 'm/versions/2');
	await removed(first, 'n');
	await first.kill();
	const second = await startDaemon(t, { store: first.store });
	await assertGone(second, 'm', 2);
	await assertGone(second, 'n', 1);
	await assertThere(second, 'm', 1);
	assert.equal((await published(second, 'm', model(2))).version, 3);
	await second.stop();
});

test('beyond loopback deletion needs a token', async (t) => {
	const daemon = await startDaemon(t, { listen: '0.0.0.0:0' });
	assertProblem(await remove(daemon, 'm'), 401, 'TOKEN_REQUIRED');
	assertProblem(await remove(daemon, 'm/versions/1'), 401, 'TOKEN_REQUIRED');
	await daemon.stop();
});
