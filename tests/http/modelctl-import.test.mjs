// SPDX-License-Identifier: Apache-2.0
// modelctl import and jobs: the server fetches, the client says how far it is.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { file } from '../lib/answers.mjs';
import { until, useDaemon, within } from '../lib/daemon.mjs';
import { get } from '../lib/http.mjs';
import { FROM_HERE } from '../lib/imports.mjs';
import { FORBIDDEN, INVALID, NETWORK, SERVER, USAGE, modelctl, startModelctl } from '../lib/modelctl.mjs';
import { addGraph, shardsOf, utf8, withFile } from '../lib/models.mjs';
import { gate, startOrigin } from '../lib/origin.mjs';

const model = addGraph({ seed: 1, size: 4096, shardBytes: 4096 });

async function hosted(t, files = model) {
	const origin = await startOrigin(t);
	origin.serve('/m', files, (bytes) => file(bytes));
	return { origin, url: origin.url('/m/model.json') };
}

async function run(daemon, ...args) {
	const done = await modelctl(daemon, args);
	assert.equal(done.code, 0, done.stderr);
	return done;
}

describe('import', () => {
	const daemon = useDaemon({ set: FROM_HERE });

	// A host that holds the last shard back until the gate is opened.
	async function slow(t) {
		const host = await hosted(t);
		const door = gate();
		t.after(() => door.open());
		const last = shardsOf(model).at(-1);
		host.origin.on(`/m/${last.path}`, async (exchange) => {
			await door.opened;
			return file(Buffer.from(last.bytes))(exchange);
		});
		return { ...host, door };
	}

	test('--watch stays to the end and prints the URL', async (t) => {
		const { url } = await hosted(t);
		const done = await run(daemon, 'import', url, 'team/watched', '--watch', '--label', 'stable');
		assert.equal(done.stdout, `${daemon.origin}/models/team/watched@1/model.json\n`);
		assert.match(done.stderr, /importing 100%  /);
		assert.match(done.stderr, /team\/watched@1 is published/);
		assert.equal((await get(daemon, '/v1/models/team/watched/labels/stable')).json.version, 1);
		const again = await run(daemon, 'import', url, 'team/watched', '-w');
		assert.match(again.stderr, /has what is there already/);
		const { json } = await run(daemon, 'import', url, 'team/watched', '-w', '--json');
		assert.equal(json.state, 'done');
		assert.equal((await run(daemon, 'import', url, 'team/quiet', '-wq')).stderr, '');
	});

	test('without it the id of the job is printed, and can be followed later', async (t) => {
		const { url, door } = await slow(t);
		const begun = await run(daemon, 'import', url, 'team/later');
		assert.match(begun.stdout, /^[0-9a-z]+\n$/);
		const id = begun.stdout.trim();
		assert.match((await run(daemon, 'jobs')).stdout, new RegExp(`^${id} +(queued|running) +team/later `, 'm'));
		assert.equal((await run(daemon, 'jobs', 'team/later', '-q')).stdout, `${id}\n`);
		assert.equal((await run(daemon, 'jobs', 'team/other', '-q')).stdout, '');
		const child = startModelctl(daemon, ['jobs', 'watch', id]);
		t.after(() => child.kill('SIGKILL'));
		door.open();
		const done = await within('the end of the job', child.closed);
		assert.equal(done.code, 0, done.stderr);
		assert.equal(done.stdout, `${daemon.origin}/models/team/later@1/model.json\n`);
		assert.match((await run(daemon, 'jobs')).stdout, new RegExp(`^${id} +done +team/later .* team/later@1$`, 'm'));
	});

	test('who goes away does not end the job, and is told how to', async (t) => {
		const { url, origin } = await slow(t);
		const child = startModelctl(daemon, ['import', url, 'team/left', '--watch']);
		t.after(() => child.kill('SIGKILL'));
		await until('the shards to be asked for', () => origin.requests.length > 1);
		child.kill('SIGINT');
		const end = await within('its end', child.closed);
		assert.equal(end.code, NETWORK);
		assert.match(end.stderr, /the job goes on\n/);
		const id = end.stderr.match(/modelctl jobs cancel ([0-9a-z]+)/)[1];
		assert.equal((await get(daemon, `/v1/jobs/${id}`)).json.state, 'running');
		await run(daemon, 'jobs', 'cancel', id);
		const watched = await modelctl(daemon, ['jobs', 'watch', id]);
		assert.equal(watched.code, SERVER);
		assert.match(watched.stderr, /was cancelled/);
	});

	test('jobs --json is one document, with every page for --all', async () => {
		const { json } = await run(daemon, 'jobs', '--json', '--all');
		assert.ok(json.jobs.length > 3);
		assert.ok(json.jobs.every(({ kind, model: name }) => kind === 'import' && name.startsWith('team/')));
	});

	test('a companion and a header are asked for', async (t) => {
		const { url, origin } = await hosted(t, withFile(model, 'labels.txt', utf8('a\n')));
		await run(daemon, 'import', url, 'team/more', '-w', '--include', 'labels.txt', '--header', 'Authorization: Bearer x');
		assert.equal((await get(daemon, '/models/team/more@1/labels.txt')).text, 'a\n');
		assert.ok(origin.requests.every(({ headers }) => headers.authorization === 'Bearer x'));
	});

	test('what fails is told apart', async (t) => {
		const broken = withFile(model, shardsOf(model)[0].path, utf8('short'));
		const invalid = await modelctl(daemon, ['import', (await hosted(t, broken)).url, 'team/bad', '-w', '--json']);
		assert.equal(invalid.code, INVALID, invalid.stderr);
		assert.equal(invalid.json.error.code, 'NOT_LOADABLE');
		assert.equal(invalid.json.error.errors[0].rule, 'weights.too-short');
		const refused = await modelctl(daemon, ['import', 'https://10.0.0.1/model.json', 'team/bad', '-w']);
		assert.equal(refused.code, FORBIDDEN, refused.stderr);
		const { url } = await hosted(t);
		const absent = await modelctl(daemon, ['import', url.replace('model.json', 'none.json'), 'team/bad', '-w']);
		assert.equal(absent.code, SERVER, absent.stderr);
		assert.match(absent.stderr, /import of team\/bad failed: .*404/);
		for (const args of [['import', url, 'UPPER'], ['import', url, 'm', '--header', 'none'],
			['jobs', 'watch', '../x'], ['jobs', 'cancel', '']]) {
			assert.equal((await modelctl(daemon, args)).code, USAGE, args.join(' '));
		}
		assert.equal((await modelctl(daemon, ['jobs', 'watch', 'abc'])).code, SERVER);
	});
});
