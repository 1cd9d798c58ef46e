// SPDX-License-Identifier: Apache-2.0
// GET /v1/audit: who published, labelled, deleted, imported, made and revoked tokens, when and from where.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { NO_FORMS, scratchDir, startDaemon, until, useDaemon, runModeld } from '../lib/daemon.mjs';
import { assertProblem, get, multipart, partsOf, post, published, request } from '../lib/http.mjs';
import { FROM_HERE, imported, refused } from '../lib/imports.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { startOrigin } from '../lib/origin.mjs';
import { bearer, idOf, makeToken, revokeToken } from '../lib/tokens.mjs';

const model = denseModel({ inputs: 16 });

async function events(daemon, { headers, limit = 500, since = 0 } = {}) {
	const found = [];
	for (let at = since; ;) {
		const answered = await get(daemon, `/v1/audit?since=${at}&limit=${limit}`, headers);
		assert.equal(answered.status, 200, answered.text);
		const { events: page, next, more } = answered.json;
		assert.ok(page.length <= limit);
		found.push(...page);
		if (!more) {
			return found;
		}
		assert.ok(next > at);
		at = next;
	}
}

const short = ({ kind, model: name, item }) => [kind, name ?? '', item ?? ''].join(' ').trim();

describe('the audit', () => {
	const daemon = useDaemon();
	let admin;
	let publisher;

	before(async () => {
		admin = await makeToken(daemon, '--scope', 'admin,read,publish,label,delete', '--name', 'boss');
		publisher = await makeToken(daemon, '--scope', 'read,publish,label', '--models', 'team/**', '--name', 'ci');
		const send = (name, token, id) => post(daemon, `/models/${name}`, multipart(partsOf(model)),
			{ headers: { ...bearer(token), 'x-request-id': id } });
		assert.equal((await send('team/m', publisher, 'first-publish')).status, 201);
		assert.equal((await send('team/m', publisher, 'again')).status, 200); // deduplicated: nothing changed
		assert.equal((await send('other', admin, 'other-publish')).status, 201);
		const asAdmin = { headers: bearer(admin) };
		const label = await request(daemon, 'PUT', '/v1/models/team/m/labels/stable',
			{ headers: bearer(publisher), body: '{"version":1}' });
		assert.equal(label.status, 201, label.text);
		assert.equal((await request(daemon, 'DELETE', '/v1/models/team/m/labels/stable', asAdmin)).status, 204);
		assert.equal((await request(daemon, 'DELETE', '/v1/models/team/m/versions/1', asAdmin)).status, 204);
		assert.equal((await request(daemon, 'DELETE', '/v1/models/other', asAdmin)).status, 204);
		const made = await request(daemon, 'POST', '/v1/tokens', { ...asAdmin, body: '{"scopes":["read"]}' });
		assert.equal(made.status, 201, made.text);
		assert.equal((await request(daemon, 'DELETE', `/v1/tokens/${idOf(made.json.token)}`, asAdmin)).status, 204);
		await revokeToken(daemon, publisher);
	});

	test('has every change in order: what, who, when, from where', async () => {
		const all = await events(daemon, { headers: bearer(admin) });
		const made = all.filter(({ kind }) => kind === 'token-created').map(({ item }) => item);
		assert.deepEqual(made.slice(0, 2), [idOf(admin), idOf(publisher)]);
		assert.deepEqual(all.map(short), [`token-created  ${made[0]}`, `token-created  ${made[1]}`,
			'model-created team/m', 'version-published team/m 1', 'model-created other', 'version-published other 1',
			'label-moved team/m stable', 'label-dropped team/m stable', 'version-deleted team/m 1',
			'version-deleted other 1', 'model-deleted other', `token-created  ${made[2]}`,
			`token-revoked  ${made[2]}`, `token-revoked  ${made[1]}`]);
		assert.deepEqual(all.map(({ sequence }) => sequence), all.map((_, i) => i + 1));
		const [boss, ci] = [`boss (${idOf(admin)})`, `ci (${idOf(publisher)})`];
		for (const { kind, who, address, at, sequence } of all) {
			assert.ok(Math.abs(Date.parse(at) - Date.now()) < 600_000);
			const byHand = [1, 2, 14].includes(sequence);
			assert.equal(address, byHand ? undefined : '127.0.0.1', kind);
			if (!byHand) {
				assert.equal(who, [3, 4, 7].includes(sequence) ? ci : boss, `${sequence} ${kind}`);
			}
		}
		assert.equal(all[3].request_id, 'first-publish');
	});

	test('says who used the command line', async () => {
		const [first] = await events(daemon, { headers: bearer(admin) });
		assert.match(first.who, /^\S+ \(uid \d+\)$/);
		assert.equal(first.request_id, 'modeld token');
	});

	test('modeld audit prints the same', async () => {
		const all = await events(daemon, { headers: bearer(admin) });
		const run = async (...words) => {
			const { code, stdout, stderr } = await runModeld(['audit', '--config', '/dev/null', '--store', daemon.store, ...words]);
			assert.equal(code, 0, stderr);
			return stdout.split('\n').slice(0, -1);
		};
		assert.deepEqual((await run('--json')).map((line) => JSON.parse(line)), all);
		const after = all.filter(({ sequence }) => sequence > 3);
		const lines = await run('--since', '3');
		assert.equal(lines.length, after.length);
		assert.equal(lines[0], `4  ${after[0].at}  version-published  team/m@1  by ci (${idOf(publisher)}) from 127.0.0.1 `
			+ '(first-publish)');
		const wrong = await runModeld(['audit', '--config', '/dev/null', '--store', daemon.store, '--since', 'yesterday']);
		assert.equal(wrong.code, 64);
		assert.match(wrong.stderr, /--since takes the number of a change/);
	});

	test('comes in pages, and goes on from where somebody was', async () => {
		const all = await events(daemon, { headers: bearer(admin) });
		assert.deepEqual(await events(daemon, { headers: bearer(admin), limit: 3 }), all);
		assert.deepEqual(await events(daemon, { headers: bearer(admin), since: all[4].sequence }), all.slice(5));
		const { json } = await get(daemon, `/v1/audit?since=${all.at(-1).sequence}`, bearer(admin));
		assert.deepEqual(json, { events: [], next: all.at(-1).sequence, more: false });
	});

	test('is for admins, of their models', async () => {
		assert.equal((await get(daemon, '/v1/audit')).status, 401);
		const reader = await makeToken(daemon, '--scope', 'read,publish,label,delete');
		assertProblem(await get(daemon, '/v1/audit', bearer(reader)), 403, 'NOT_ALLOWED');
		const lead = await makeToken(daemon, '--scope', 'admin', '--models', 'team/**');
		for (const limit of [1, 500]) {
			const theirs = await events(daemon, { headers: bearer(lead), limit });
			assert.ok(theirs.length > 0);
			assert.ok(theirs.every(({ model: name }) => name === 'team/m'), JSON.stringify(theirs));
		}
	});

	test('refuses what is no number', async () => {
		for (const query of ['since=x', 'since=-1', 'since=', `since=${'9'.repeat(30)}`, 'limit=0', 'limit=501']) {
			assertProblem(await get(daemon, `/v1/audit?${query}`, bearer(admin)), 400, 'BAD_PARAMETER');
		}
	});
});

test('an import is noted as that of who asked for it, with its job', async (t) => {
	const daemon = await startDaemon(t, { set: FROM_HERE });
	const origin = await startOrigin(t);
	origin.serve('/m', addGraph({ seed: 1, size: 24 }), (bytes) => file(bytes));
	const job = await imported(daemon, 'm', { url: origin.url('/m/model.json') });
	const all = await events(daemon);
	assert.deepEqual(all.map(short), ['model-created m', 'version-published m 1']);
	for (const { who, request_id: id } of all) {
		assert.equal(who, '127.0.0.1');
		assert.equal(id, job.id);
	}
	const { job: failed } = await refused(daemon, 'm', { url: origin.url('/none/model.json') });
	const last = (await events(daemon)).at(-1);
	assert.deepEqual([short(last), last.who, last.request_id], [`import-failed m ${failed.id}`, '127.0.0.1', failed.id]);
	await daemon.stop();
});

test('without a token who is the address, and a backup has the audit', async (t) => {
	const daemon = await startDaemon(t, { set: NO_FORMS });
	await published(daemon, 'm', model);
	const all = await events(daemon);
	assert.deepEqual(all.map(({ who }) => who), ['127.0.0.1', '127.0.0.1']);
	await daemon.stop();
	const [copy, store] = [scratchDir('backup'), `${scratchDir('restored')}/store`];
	const common = ['--config', '/dev/null', '--store'];
	const saved = await runModeld(['backup', copy, ...common, daemon.store]);
	assert.equal(saved.code, 0, saved.stderr);
	const restored = await runModeld(['restore', copy, ...common, store]);
	assert.equal(restored.code, 0, restored.stderr);
	const again = await startDaemon(t, { store, set: NO_FORMS });
	assert.deepEqual(await events(again), all);
	await again.stop();
});

test('[store] audit_keep forgets what is old, and counts on', async (t) => {
	const daemon = await startDaemon(t, { set: { ...NO_FORMS, 'store.audit_keep': '1ms' } });
	await published(daemon, 'm', model);
	const before = (await events(daemon)).at(-1);
	await daemon.stop();
	const again = await startDaemon(t, { store: daemon.store, set: { ...NO_FORMS, 'store.audit_keep': '1ms' } });
	const left = await until('all but one to be gone', async () => {
		const now = await events(again);
		return now.length === 1 && now;
	});
	assert.deepEqual(left, [before]);
	await published(again, 'n', model);
	assert.equal((await events(again)).at(-1).sequence, before.sequence + 2);
	await again.stop();
});
