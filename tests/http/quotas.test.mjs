// SPDX-License-Identifier: Apache-2.0
// Limits on what models may take together.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { runModeld, startDaemon } from '../lib/daemon.mjs';
import {
	Wire, assertProblem, get, multipart, partsOf, post, publish, published, request, requestHead,
} from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';

const model = (version) => denseModel({ fill: version, metadata: { version } });
const bytesOf = ({ files }) => files.reduce((sum, { bytes }) => sum + bytes.length, 0);
const SIZE = bytesOf(model(1));
const MIB = 1 << 20;
const FRAMING = 64 * MIB; // what a body may be longer than its files

const remove = (daemon, target) => request(daemon, 'DELETE', `/v1/models/${target}`);

async function fsckClean(daemon) {
	const { code, stdout, stderr } = await runModeld(['fsck', '--config', '/dev/null', '--store', daemon.store]);
	assert.equal(code, 0, stdout + stderr);
}

test('models below a prefix share its quota, and what is deleted can be used again', async (t) => {
	const daemon = await startDaemon(t, {
		set: { 'limits.quotas': `team-a=${3 * SIZE} team-a/vision=${SIZE},`, 'limits.store': 4 * SIZE },
	});
	await published(daemon, 'team-a/vision/net', model(1));
	const full = assertProblem(await publish(daemon, 'team-a/vision/other', model(2)), 507, 'QUOTA_FULL');
	assert.match(full.detail, /^team-a\/vision may hold .* \(limits\.quotas\) and holds .*: .* more do not fit; /);
	assert.match(full.detail, /delete versions, by hand or with `modeld prune`, or raise the limit$/);
	// A retried publish adds nothing.
	const again = await publish(daemon, 'team-a/vision/net', model(1));
	assert.equal(again.status, 200, again.text);
	assert.equal(again.json.deduplicated, true);

	await published(daemon, 'team-a', model(3));
	await published(daemon, 'team-a/sound', model(4));
	assert.match(assertProblem(await publish(daemon, 'team-a/sound', model(5)), 507, 'QUOTA_FULL').detail,
		/^team-a may hold /);
	await published(daemon, 'team-ab', model(5));
	assert.match(assertProblem(await publish(daemon, 'b', model(6)), 507, 'QUOTA_FULL').detail,
		/^the store may hold .* \(limits\.store\) and holds /);

	assert.equal((await remove(daemon, 'team-a/vision/net/versions/1')).status, 204);
	await published(daemon, 'team-a/vision/other', model(2));
	assert.equal((await remove(daemon, 'team-a')).status, 204);
	await published(daemon, 'team-a/sound', model(5));
	await fsckClean(daemon);
	await daemon.stop();
	const second = await startDaemon(t, { store: daemon.store, set: { 'limits.store': 4 * SIZE } });
	assertProblem(await publish(second, 'b', model(6)), 507, 'QUOTA_FULL');
	await second.stop();
});

test('a model may have so many versions and no more', async (t) => {
	const daemon = await startDaemon(t, { set: { 'limits.versions': 2 } });
	await published(daemon, 'm', model(1));
	await published(daemon, 'm', model(2));
	const { detail } = assertProblem(await publish(daemon, 'm', model(3)), 507, 'QUOTA_FULL');
	assert.match(detail, /^m may have 2 versions \(limits\.versions\) and has 2: /);
	await published(daemon, 'm/below', model(3));
	assert.equal((await remove(daemon, 'm/versions/1')).status, 204);
	assert.equal((await published(daemon, 'm', model(3))).version, 3);
	await daemon.stop();
});

test('a dry run and a staged upload answer as a publish would', async (t) => {
	const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${SIZE + 1}` } });
	const dry = (version) => post(daemon, '/models/m?dry_run=true', multipart(partsOf(model(version))));
	assert.equal((await dry(1)).status, 200);
	await published(daemon, 'm', model(1));
	assertProblem(await dry(2), 507, 'QUOTA_FULL');
	assert.equal((await dry(1)).json.would_be.deduplicated, true);

	const opened = await post(daemon, '/v1/uploads', { headers: {}, body: Buffer.from('{"model": "m/x"}') });
	assert.equal(opened.json.limits.room, 1);
	const unlimited = await post(daemon, '/v1/uploads', { headers: {}, body: Buffer.from('{"model": "n"}') });
	assert.equal(unlimited.json.limits.room, undefined);
	const { id } = opened.json;
	for (const { path, bytes } of model(2).files) {
		const put = await request(daemon, 'PUT', `/v1/uploads/${id}/files/${path}`, { body: Buffer.from(bytes) });
		assert.equal(put.status, 201, put.text);
	}
	const publishIt = (query = '') =>
		post(daemon, `/v1/uploads/${id}:publish${query}`, { headers: {}, body: Buffer.alloc(0) });
	assertProblem(await publishIt('?dry_run=true'), 507, 'QUOTA_FULL');
	assertProblem(await publishIt(), 507, 'QUOTA_FULL');
	assert.equal((await remove(daemon, 'm')).status, 204);
	assert.equal((await publishIt()).status, 201); // it had stayed open
	await daemon.stop();
});

describe('before the body', () => {
	const expecting = (length) => ({
		'Content-Type': 'multipart/form-data; boundary=b', 'Content-Length': length, Expect: '100-continue',
	});

	test('a length that cannot fit is refused, one that might is asked for', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${SIZE + MIB}` } });
		await published(daemon, 'm', model(1));
		for (const [name, length, status] of [
			['m', MIB + FRAMING + 1, 507], ['m/below', MIB + FRAMING + 1, 507], ['m', MIB + FRAMING, 100],
			['n', MIB + FRAMING + 1, 100],
		]) {
			const wire = new Wire(daemon.port);
			await wire.send(requestHead('POST', `/models/${name}`, expecting(length)));
			const answered = await wire.answer('POST');
			assert.equal(answered.status, status, `${name} ${length}`);
			if (status === 507) {
				assert.equal(answered.headers['x-error-code'], 'QUOTA_FULL');
			}
			wire.destroy();
		}
		await daemon.stop();
	});

	test('the newest version may be sent again, however full it is', async (t) => {
		const large = addGraph({ size: 20 * MIB });
		const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${bytesOf(large)}` } });
		await published(daemon, 'm', large);
		const again = await publish(daemon, 'm', large);
		assert.equal(again.status, 200, again.text);
		assert.equal(again.json.version, 1);
		await daemon.stop();
	});

	test('bytes of unknown number are refused once they cannot fit, and leave nothing', async (t) => {
		const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${SIZE}` } });
		const { headers, body } = multipart(partsOf(addGraph({ size: MIB })));
		const answered = await request(daemon, 'POST', '/models/m',
			{ headers: { ...headers, 'transfer-encoding': 'chunked' }, body });
		assertProblem(answered, 507, 'QUOTA_FULL');
		assert.deepEqual((await get(daemon, '/v1/models')).json.models, []);
		await daemon.stop();
		assert.deepEqual(daemon.files('tmp'), []);
		assert.deepEqual(daemon.files('blobs'), []);
	});
});

test('of publishes that race for the last room one gets it', async (t) => {
	const daemon = await startDaemon(t, { set: { 'limits.quotas': `m=${SIZE}` } });
	const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => publish(daemon, `m/${i}`, model(i + 1))));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(507)]);
	await fsckClean(daemon);
	await daemon.stop();
});

for (const [setting, complaint] of [
	['limits.quotas=team-a', /\[limits\] quotas: team-a: expected PREFIX=SIZE/],
	['limits.quotas=Team=1', /use 'team'/],
	['limits.quotas=a=1,a=2', /a is set twice/],
]) {
	test(`${setting} is refused`, async () => {
		const { code, stderr } = await runModeld(
			['check-config', '--config', '/dev/null', '--store', '/nonexistent', '--set', setting]);
		assert.equal(code, 78);
		assert.match(stderr, complaint);
	});
}
