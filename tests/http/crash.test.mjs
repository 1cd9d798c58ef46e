// SPDX-License-Identifier: Apache-2.0
// kill -9 at any moment, under publishes, label moves, deletions and collection: what was acknowledged
// is there and whole afterwards, what was not is whole or absent, and `modeld fsck` finds no damage.
// CRASH_ROUNDS says how often, CRASH_SEED which moments and changes are tried.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { Daemon, runModeld, scratchDir, until } from '../lib/daemon.mjs';
import { get, multipart, partsOf, post, request } from '../lib/http.mjs';
import { addGraph, random } from '../lib/models.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? (process.env.MODELD_WRAPPER ? 2 : 12));
const SEED = Number(process.env.CRASH_SEED ?? 1);
const WRITERS = 4;
const LATEST_KILL_MS = 400;
const LABELS = ['stable', 'canary'];

// One model and its only writer: so there is one change at a time whose end is unknown.
class Writer {
	constructor(name, seed) {
		this.name = name;
		this.random = random(seed);
		this.content = seed * 100_000;
		this.live = new Map(); // version -> files
		this.deleted = new Set();
		this.labels = new Map();
		this.highest = 0;
		this.pending = null;
		this.acknowledged = 0;
	}

	pick(list) {
		return list[Math.floor(this.random() * list.length)];
	}

	#nextChange() {
		const versions = [...this.live.keys()];
		const free = versions.filter((version) => ![...this.labels.values()].includes(version));
		const dice = this.random();
		if (versions.length === 0 || dice < 0.5) {
			return { kind: 'publish', model: addGraph({ seed: this.content++, size: 12, shardBytes: 16 }) };
		}
		if (dice < 0.75) {
			return { kind: 'label', label: this.pick(LABELS), version: this.pick(versions) };
		}
		return free.length > 0 ? { kind: 'delete', version: this.pick(free) } : { kind: 'none' };
	}

	async #send(daemon, change) {
		if (change.kind === 'publish') {
			return post(daemon, `/models/${this.name}`, multipart(partsOf(change.model)));
		}
		if (change.kind === 'label') {
			return request(daemon, 'PUT', `/v1/models/${this.name}/labels/${change.label}`, {
				headers: { 'content-type': 'application/json' }, body: JSON.stringify({ version: change.version }),
			});
		}
		return request(daemon, 'DELETE', `/v1/models/${this.name}/versions/${change.version}`);
	}

	#take(change, version) {
		if (change.kind === 'publish') {
			assert.ok(version > this.highest, `version ${version} of ${this.name} was given before`);
			this.highest = version;
			this.live.set(version, change.model.files);
		} else if (change.kind === 'label') {
			this.labels.set(change.label, change.version);
		} else {
			this.live.delete(change.version);
			this.deleted.add(change.version);
		}
	}

	// Until the daemon is gone.
	async write(daemon) {
		while (!daemon.end) {
			this.pending = this.#nextChange();
			if (this.pending.kind === 'none') {
				continue;
			}
			let answered;
			try {
				answered = await this.#send(daemon, this.pending);
			} catch {
				return; // cut off: its end is unknown
			}
			assert.ok([200, 201, 204].includes(answered.status), `${this.pending.kind}: ${answered.status} ${answered.text}`);
			this.#take(this.pending, this.pending.kind === 'publish' ? answered.json.version : 0);
			this.pending = null;
			this.acknowledged++;
		}
	}

	async #versionsOf(daemon) {
		const { status, json } = await get(daemon, `/v1/models/${this.name}`);
		return status === 200 ? json.versions.map(({ version }) => version) : [];
	}

	// What the change that was cut off came to: all of it, or nothing.
	async #learnPending(daemon) {
		const { pending } = this;
		this.pending = null;
		if (pending?.kind === 'publish') {
			const more = (await this.#versionsOf(daemon)).filter((version) => version > this.highest);
			assert.ok(more.length <= 1, `${this.name} has versions that nobody sent: ${more}`);
			more.forEach((version) => this.#take(pending, version));
		} else if (pending?.kind === 'label') {
			const { status, json } = await get(daemon, `/v1/models/${this.name}/labels/${pending.label}`);
			if (status === 200 && json.version === pending.version) {
				this.#take(pending);
			}
		} else if (pending?.kind === 'delete') {
			const { status } = await get(daemon, `/models/${this.name}@${pending.version}/model.json`);
			if (status === 410) {
				this.#take(pending);
			}
		}
	}

	async #checkVersion(daemon, version, files) {
		for (const { path, bytes } of files) {
			const answered = await get(daemon, `/models/${this.name}@${version}/${path}`);
			assert.equal(answered.status, 200, `${this.name}@${version}/${path}`);
			assert.deepEqual(answered.body, Buffer.from(bytes), `${this.name}@${version}/${path}`);
		}
	}

	async check(daemon) {
		await this.#learnPending(daemon);
		assert.deepEqual((await this.#versionsOf(daemon)).sort((a, b) => a - b), [...this.live.keys()].sort((a, b) => a - b), this.name);
		for (const [version, files] of this.live) {
			await this.#checkVersion(daemon, version, files);
		}
		for (const version of this.deleted) {
			assert.equal((await get(daemon, `/models/${this.name}@${version}/model.json`)).status, 410, `${this.name}@${version}`);
		}
		for (const [label, version] of this.labels) {
			const { json } = await get(daemon, `/v1/models/${this.name}/labels/${label}`);
			assert.equal(json.version, version, `${this.name}@${label}`);
		}
	}
}

// Collections beside it, each a process of its own, until the daemon is gone.
async function collect(daemon) {
	while (!daemon.end) {
		const ended = await runModeld(['gc', '--config', '/dev/null', '--store', daemon.store, '--grace', '0']);
		assert.equal(ended.code, 0, ended.stderr);
	}
}

const modeld = (store, ...words) => runModeld([...words, '--config', '/dev/null', '--store', store]);

describe('kill -9', () => {
	const store = scratchDir('crash');
	const daemons = [];
	const start = () => {
		const daemon = new Daemon({ store });
		daemons.push(daemon);
		return daemon.start();
	};
	after(() => Promise.all(daemons.map((daemon) => daemon.destroy())));

	test(`at ${ROUNDS} moments loses nothing that was acknowledged`, async (t) => {
		const moments = random(SEED);
		const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(`team/m${i}`, SEED * 10 + i));
		for (let round = 0; round < ROUNDS; round++) {
			const before = writers.map(({ acknowledged }) => acknowledged);
			const first = await start();
			const work = [...writers.map((writer) => writer.write(first)), collect(first)];
			await until('an acknowledged change', () => writers.some((writer, i) => writer.acknowledged > before[i]));
			await new Promise((resolve) => { setTimeout(resolve, moments() * LATEST_KILL_MS); });
			await first.kill();
			await Promise.all(work);

			const second = await start();
			for (const writer of writers) {
				await writer.check(second);
			}
			await second.stop();
			const proved = await modeld(store, 'fsck');
			assert.equal(proved.code, 0, proved.stdout);
			assert.match(proved.stdout, /: 0 damaged, 0 left over$/m);
			assert.deepEqual(second.files('tmp'), []);
		}
		t.diagnostic(`${writers.reduce((n, { acknowledged }) => n + acknowledged, 0)} changes were acknowledged`);
	});
});
