// SPDX-License-Identifier: Apache-2.0
// Rules that say which versions stay, beside a daemon that works.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';

import { runModeld, scratchDir, startDaemon, until } from '../lib/daemon.mjs';
import { assertProblem, get, publish, published, request } from '../lib/http.mjs';
import { denseModel } from '../lib/models.mjs';

const model = (version) => denseModel({ fill: version, metadata: { version } });
const SIZE = model(1).files.reduce((sum, { bytes }) => sum + bytes.length, 0);

async function publishMany(daemon, name, n) {
	for (let version = 1; version <= n; version++) {
		await published(daemon, name, model(version));
	}
}

async function prune(daemon, rules, ...options) {
	const ended = await runModeld(['prune', '--config', '/dev/null', '--store', daemon.store,
		'--set', `retention.rules=${rules}`, ...options]);
	assert.equal(ended.code, 0, ended.stderr);
	return ended.stdout.trimEnd().split('\n');
}

async function versionsOf(daemon, name) {
	const { status, json } = await get(daemon, `/v1/models/${name}`);
	return status === 200 ? json.versions.map(({ version }) => version) : status;
}

const label = (daemon, name, version) =>
	request(daemon, 'PUT', `/v1/models/${name}/labels/stable`, { body: JSON.stringify({ version }) });

describe('modeld prune', () => {
	test('deletes what no rule keeps, and a dry run says the same and deletes nothing', async (t) => {
		const daemon = await startDaemon(t);
		await publishMany(daemon, 'team-a/net', 5);
		await publishMany(daemon, 'team-a/gold', 3);
		await publishMany(daemon, 'elsewhere', 3);
		await label(daemon, 'team-a/net', 2);
		const rules = 'team-a/gold=all team-a/**=last:2+younger:1ms';
		const why = 'older than 1ms, not among the last 2, no label';
		await until('a clock that has moved on', async () => (await prune(daemon, rules, '--dry-run')).length === 3);
		const [first, second, sum] = await prune(daemon, rules, '--dry-run');
		assert.equal(first, `would delete team-a/net@3: ${why}`);
		assert.equal(second, `would delete team-a/net@1: ${why}`);
		assert.match(sum, /^would delete 2 versions, \d/);
		assert.deepEqual(await versionsOf(daemon, 'team-a/net'), [5, 4, 3, 2, 1]);

		const done = await prune(daemon, rules);
		assert.deepEqual(done.map((line) => line.replace('deleted', 'would delete')), [first, second, sum]);
		assert.deepEqual(await versionsOf(daemon, 'team-a/net'), [5, 4, 2]);
		assert.deepEqual(await versionsOf(daemon, 'team-a/gold'), [3, 2, 1]);
		assert.deepEqual(await versionsOf(daemon, 'elsewhere'), [3, 2, 1]);
		assertProblem(await get(daemon, '/models/team-a/net@1/model.json'), 410, 'DELETED');
		assert.equal((await get(daemon, '/models/team-a/net@stable/model.json')).status, 200);
		assert.equal((await get(daemon, '/models/team-a/net/model.json')).status, 200);
		assert.equal((await prune(daemon, rules)).length, 1);
		const { code, stdout } = await runModeld(['fsck', '--config', '/dev/null', '--store', daemon.store]);
		assert.equal(code, 0, stdout);
		await daemon.stop();
	});

	test('keeps what is young', async (t) => {
		const daemon = await startDaemon(t);
		await publishMany(daemon, 'm', 3);
		assert.equal((await prune(daemon, '**=younger:10d')).length, 1);
		assert.deepEqual(await versionsOf(daemon, 'm'), [3, 2, 1]);
		await daemon.stop();
	});

	test('makes room below a quota', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${2 * SIZE}` } });
		await publishMany(daemon, 'm', 2);
		const { detail } = assertProblem(await publish(daemon, 'm', model(3)), 507, 'QUOTA_FULL');
		assert.match(detail, /modeld prune/);
		await prune(daemon, 'm=last:1');
		assert.equal((await published(daemon, 'm', model(3))).version, 3);
		await daemon.stop();
	});

	test('without a rule it says so', async (t) => {
		const daemon = await startDaemon(t);
		await publishMany(daemon, 'm', 2);
		assert.deepEqual(await prune(daemon, ''), ['deleted 0 versions, 0 B: retention.rules has no rule']);
		assert.deepEqual(await versionsOf(daemon, 'm'), [2, 1]);
		await daemon.stop();
	});

	test('makes no store where there is none', async () => {
		const store = path.join(scratchDir('none'), 'none');
		const ended = await runModeld(['prune', '--config', '/dev/null', '--store', store]);
		assert.equal(ended.code, 78);
		assert.match(ended.stderr, /: there is no store\n$/);
	});

	for (const [words, complaint] of [
		[['prune', '--set', 'retention.rules=a=last:0'], /\[retention\] rules: a=last:0: last:N stands there once/],
		[['prune', '--set', 'retention.rules=a'], /expected PATTERN=KEEP/],
		[['prune', '--grace', '0'], /--grace/],
		[['fsck', '--dry-run'], /--dry-run/],
	]) {
		test(`${words.join(' ')} makes no sense`, async () => {
			const [verb, ...options] = words;
			const ended = await runModeld([verb, '--config', '/dev/null', '--store', '/nonexistent', ...options]);
			assert.ok([64, 78].includes(ended.code), String(ended.code));
			assert.match(ended.stderr, complaint);
		});
	}
});

test('the daemon prunes by itself, and serves nothing of it from memory', async (t) => {
	const daemon = await startDaemon(t, {
		set: { 'retention.rules': 'm=last:2', 'retention.interval': '20ms', 'store.gc_interval': '20ms',
			'store.gc_grace': '0' },
	});
	await publishMany(daemon, 'kept', 4);
	await published(daemon, 'm', model(1));
	const pinned = '/models/m@1/model.json';
	assert.equal((await get(daemon, pinned)).status, 200);
	await label(daemon, 'm', 1);
	for (let version = 2; version <= 4; version++) {
		await published(daemon, 'm', model(version));
	}
	await until('version 2 to be gone', async () => (await get(daemon, '/models/m@2/model.json')).status === 410);
	assert.equal((await get(daemon, pinned)).status, 200);
	assert.deepEqual(await versionsOf(daemon, 'm'), [4, 3, 1]);
	assert.equal((await request(daemon, 'DELETE', '/v1/models/m/labels/stable')).status, 204);
	await until('version 1 to be gone', async () => (await get(daemon, pinned)).status === 410);
	assert.deepEqual(await versionsOf(daemon, 'm'), [4, 3]);
	assert.deepEqual(await versionsOf(daemon, 'kept'), [4, 3, 2, 1]);
	await daemon.stop();
	assert.match(daemon.stderr, /msg=pruned versions=1 /);
});

test('what another process deleted is not served from memory for long', async (t) => {
	// The daemon looks for it whenever it does anything for its store.
	const daemon = await startDaemon(t, { set: { 'store.gc_interval': '20ms' } });
	await publishMany(daemon, 'm', 2);
	const pinned = '/models/m@1/model.json';
	for (let i = 0; i < 3; i++) {
		assert.equal((await get(daemon, pinned)).status, 200);
	}
	await prune(daemon, 'm=last:1');
	await until('410', async () => (await get(daemon, pinned)).status === 410);
	assert.equal((await get(daemon, '/models/m@2/model.json')).status, 200);
	await daemon.stop();
});

test('publishes, labels and prunings at once: what was labelled or is newest is there', async (t) => {
	const daemon = await startDaemon(t, {
		set: { 'retention.rules': '**=last:1', 'retention.interval': '10ms' },
	});
	let working = 3;

	async function write(name) {
		try {
			for (let version = 1; version <= 15; version++) {
				await published(daemon, name, model(version));
				const labelled = await label(daemon, name, version);
				assert.ok([200, 201].includes(labelled.status), labelled.text);
				assert.equal((await get(daemon, `/models/${name}@stable/model.json`)).status, 200);
				assert.equal((await get(daemon, `/models/${name}/model.json`)).status, 200);
			}
		} finally {
			working--;
		}
	}

	async function pruneBeside() {
		while (working > 0) {
			await prune(daemon, '**=last:1');
		}
	}

	await Promise.all([write('a'), write('b'), write('c/d'), pruneBeside()]);
	await prune(daemon, '**=last:1');
	for (const name of ['a', 'b', 'c/d']) {
		assert.deepEqual(await versionsOf(daemon, name), [15]);
	}
	await daemon.stop();
});
