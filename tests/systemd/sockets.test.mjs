// SPDX-License-Identifier: Apache-2.0
// Sockets that systemd opens and keeps: nobody is refused while the service restarts, and a daemon that has
// them needs no network of its own.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { until } from '../lib/daemon.mjs';
import { get, published, request } from '../lib/http.mjs';
import { refused } from '../lib/imports.mjs';
import { addGraph, shardsOf } from '../lib/models.mjs';
import { connects } from '../lib/ports.mjs';
import { Authority } from '../lib/tls.mjs';
import { certified, configure, dropIn, freshEachTime, mainPid, meanwhile, must, reaches, service, shown } from './manager.mjs';

const RESTARTS = 20;
const SHARD = 1 << 20;
const SAMPLE = fileURLToPath(new URL('../../systemd/private-network.conf', import.meta.url));

const model = addGraph({ size: SHARD / 4, shardBytes: SHARD });
const [shard] = shardsOf(model);
const bytes = Buffer.from(shard.bytes);
const target = `/models/m@1/${shard.path}`;

// {status, body} over the agent's connections. What a kept connection meets that the daemon has closed is no
// failure: a GET may be sent again, once.
async function fetched(agent) {
	let reused;
	const once = (options) => new Promise((resolve, reject) => {
		const call = http.get({ host: '127.0.0.1', port: service.port, path: target, ...options }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
				.on('end', () => (response.complete ? resolve({ status: response.statusCode, body: Buffer.concat(chunks) })
					: reject(new Error('cut'))));
		}).on('error', (error) => {
			reused = call.reusedSocket;
			reject(error);
		});
	});
	try {
		return await once({ agent });
	} catch (error) {
		if (!reused || !['ECONNRESET', 'EPIPE'].includes(error.code)) {
			throw error;
		}
		return once({ agent: false });
	}
}

// Clients that ask without end; `stop()` gives how many answers there were, and what went wrong.
function clients(agents) {
	const wrong = [];
	let over = false;
	let answers = 0;
	const all = agents.map(async (agent) => {
		while (!over) {
			try {
				const { status, body } = await fetched(agent);
				if (status !== 200 || !body.equals(bytes)) {
					throw new Error(`${status}, ${body.length} bytes`);
				}
				answers++;
			} catch (error) {
				wrong.push(`${error.code ?? ''} ${error.message}`);
			}
		}
	});
	return {
		get answers() {
			return answers;
		},
		async stop() {
			over = true;
			await Promise.all(all);
			return { answers, wrong };
		},
	};
}

const kept = () => new http.Agent({ keepAlive: true, maxSockets: 1 });

describe('modeld.socket', () => {
	freshEachTime();

	test('starts the service at the first connection, and stays when it stops', async () => {
		must('start', 'modeld.socket');
		assert.equal(shown('modeld', 'ActiveState').ActiveState, 'inactive');
		assert.equal((await get(service, '/readyz')).status, 200);
		assert.equal(shown('modeld', 'ActiveState').ActiveState, 'active');
		const pid = mainPid();
		must('stop', 'modeld');
		assert.equal(shown('modeld.socket', 'ActiveState').ActiveState, 'active');
		assert.equal((await get(service, '/readyz')).status, 200);
		assert.notEqual(mainPid(), pid);
	});

	test('takes the port over from a service that had it', async () => {
		must('start', 'modeld');
		await published(service, 'm', model);
		must('stop', 'modeld');
		must('start', 'modeld.socket');
		must('start', 'modeld');
		assert.equal((await fetched(false)).status, 200);
		must('restart', 'modeld');
		assert.equal((await fetched(false)).status, 200);
		assert.equal(shown('modeld.socket', 'ActiveState').ActiveState, 'active');
	});

	test(`${RESTARTS} restarts refuse no connection and fail no GET`, async (t) => {
		must('start', 'modeld.socket');
		await published(service, 'm', model);
		const asking = clients([false, false, kept(), kept()]);
		for (let i = 0; i < RESTARTS; i++) {
			const before = asking.answers;
			const pid = mainPid();
			await meanwhile('restart', 'modeld');
			assert.notEqual(mainPid(), pid);
			await until('answers of the new process', () => asking.answers > before + 4);
		}
		const { answers, wrong } = await asking.stop();
		assert.deepEqual(wrong, []);
		t.diagnostic(`${answers} answers`);
	});

	test('a daemon that is killed refuses no connection either', async () => {
		must('start', 'modeld.socket');
		await published(service, 'm', model);
		process.kill(mainPid(), 'SIGKILL');
		assert.equal((await fetched(false)).status, 200);
		await reaches('modeld', 'active');
	});

	test('a download that has begun is finished over a restart', async () => {
		must('start', 'modeld.socket');
		const large = addGraph({ size: 8 * SHARD, shardBytes: 32 * SHARD });
		await published(service, 'large', large);
		const [file] = shardsOf(large);
		const answered = await new Promise((resolve, reject) => {
			http.get({ host: '127.0.0.1', port: service.port, path: `/models/large@1/${file.path}`, agent: false }, resolve)
				.on('error', reject);
		});
		answered.pause();
		const pid = mainPid();
		must('restart', '--no-block', 'modeld');
		await until('the end of service to others', () => shown('modeld', 'ActiveState').ActiveState === 'deactivating');
		const chunks = [];
		for await (const chunk of answered) {
			chunks.push(chunk);
		}
		assert.ok(Buffer.concat(chunks).equals(Buffer.from(file.bytes)));
		await until('another process', () => ![0, pid].includes(mainPid()));
	});
});

describe('modeld-https.socket', () => {
	freshEachTime();

	test('speaks TLS at port 443, beside modeld.socket', async () => {
		const authority = new Authority();
		configure(certified(authority.issue('127.0.0.1')));
		must('start', 'modeld.socket', 'modeld-https.socket');
		const secure = { port: 443, ca: fs.readFileSync(authority.file) };
		assert.equal((await get(secure, '/readyz')).status, 200);
		assert.equal((await get(service, '/readyz')).status, 200);
		const pid = mainPid();
		must('restart', 'modeld');
		assert.equal((await get(secure, '/readyz')).status, 200);
		assert.notEqual(mainPid(), pid);
	});
});

describe('private-network.conf', () => {
	freshEachTime();

	test('is served by socket, and reaches nobody', async () => {
		dropIn('modeld.service', fs.readFileSync(SAMPLE, 'utf8'));
		configure('[import]\nallow = 127.0.0.1\nattempts = 1\n');
		must('start', 'modeld.service');
		assert.equal(shown('modeld.socket', 'ActiveState').ActiveState, 'active');
		await published(service, 'm', model);
		assert.ok((await fetched(kept())).body.equals(bytes));
		assert.notEqual(fs.readlinkSync(`/proc/${mainPid()}/ns/net`), fs.readlinkSync('/proc/self/ns/net'));
		let reached = false;
		const origin = http.createServer((asked, answer) => {
			reached = true;
			answer.end('{}');
		});
		await new Promise((resolve) => { origin.listen(0, '127.0.0.1', resolve); });
		assert.ok(await connects(origin.address().port));
		const error = await refused(service, 'never', { url: `http://127.0.0.1:${origin.address().port}/model.json` });
		assert.ok(error.code, JSON.stringify(error));
		assert.equal(reached, false);
		origin.close();
		assert.equal((await request(service, 'DELETE', '/v1/models/m')).status, 204);
		must('restart', 'modeld.service');
		assert.equal((await get(service, '/readyz')).status, 200);
	});
});
