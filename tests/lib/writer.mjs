// SPDX-License-Identifier: Apache-2.0
// Somebody who changes one model in every way there is, and remembers what was acknowledged. When the
// daemon is gone, the end of one change at most is unknown; check() learns it from the next daemon and
// proves the rest: what was acknowledged is there and whole, what was not is whole or absent.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

import { runModeld } from './daemon.mjs';
import { get, head, multipart, partsOf, post, request } from './http.mjs';
import { addGraph, random } from './models.mjs';

const LABELS = ['stable', 'canary'];
const OPEN_MAX = 3; // uploads of a writer
const READ_AGAIN = 12; // versions that every check reads; all() reads the others
const PARTIAL = 'application/partial-upload';

const hexOf = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
export const modeld = (store, ...words) => runModeld([...words, '--config', '/dev/null', '--store', store]);

// ---- what one upload is made of ----

class Upload {
	constructor(id, model) {
		this.id = id;
		this.target = `/v1/uploads/${id}`;
		this.model = model;
		this.files = model.files.map((file, i) =>
			({ ...file, bytes: Buffer.from(file.bytes), how: model.how?.[i] ?? 'whole', acked: 0, begun: false, complete: false }));
		this.version = 0;
	}

	next() {
		return this.files.find(({ complete }) => !complete);
	}

	of(file) {
		return `${this.target}/files/${file.path}`;
	}
}

export class Writer {
	constructor(name, seed) {
		this.name = name;
		this.random = random(seed);
		this.content = seed * 100_000;
		this.live = new Map(); // version -> files
		this.deleted = new Set();
		this.labels = new Map();
		this.uploads = new Map(); // id -> Upload, published ones too
		this.highest = 0;
		this.pending = null;
		this.mayRefuse = false;
		this.refused = null; // the last answer when it was one of those
		this.deaf = false; // answers do not count any more
		this.acknowledged = 0;
		this.kinds = {};
	}

	pick(list) {
		return list[Math.floor(this.random() * list.length)];
	}

	// ---- changes ----

	// A model with a companion that is large enough to come in pieces.
	newModel({ companion, shards = 3 } = {}) {
		const model = addGraph({ seed: this.content++, size: 4 * shards, shardBytes: 16 });
		if (!companion) {
			return model;
		}
		const next = random(this.content);
		const bytes = Buffer.from(Uint8Array.from({ length: companion }, () => next() * 256));
		return { ...model, files: [...model.files, { path: 'labels.bin', bytes }] };
	}

	#newUpload() {
		const model = this.newModel({ companion: Math.floor(this.random() * 200_000) + 3 });
		const stored = [...this.live.values()].flat();
		// A companion that the store has: it is mounted, not sent.
		const mounted = this.random() < 0.5 && stored.length > 0 && this.pick(stored);
		const files = mounted ? [...model.files, { path: 'mounted.bin', bytes: mounted.bytes }] : model.files;
		const how = files.map(({ path: file }) =>
			(file === 'mounted.bin' ? 'mount' : this.pick(['whole', 'whole', 'pieces'])));
		return { ...model, files, how };
	}

	// The next step of an upload: a file, a piece of one, or the end.
	stepOf(upload) {
		const file = upload.next();
		if (!file) {
			return { kind: 'commit', upload };
		}
		const rest = file.bytes.length - file.acked;
		const end = file.how === 'pieces' && rest > 1 && this.random() < 0.7
			? file.acked + Math.floor(this.random() * rest) : file.bytes.length;
		const stored = () => [...this.live.values()].flat().some(({ bytes }) => file.bytes.equals(Buffer.from(bytes)));
		const kind = file.begun ? 'patch' : file.how === 'mount' && stored() ? 'mount' : 'put';
		return { kind, upload, file, end };
	}

	nextChange() {
		const versions = [...this.live.keys()];
		const free = versions.filter((version) => ![...this.labels.values()].includes(version));
		const open = [...this.uploads.values()].filter(({ version }) => version === 0);
		const dice = this.random();
		if (versions.length === 0 || dice < 0.2) {
			return { kind: 'publish', model: this.newModel() };
		}
		if (dice < 0.3) {
			return { kind: 'label', label: this.pick(LABELS), version: this.pick(versions) };
		}
		if (dice < 0.4 && free.length > 0) {
			return { kind: 'delete', version: this.pick(free) };
		}
		if (open.length === 0 || (dice < 0.5 && open.length < OPEN_MAX)) {
			return { kind: 'open', model: this.#newUpload() };
		}
		if (dice < 0.53) {
			return { kind: 'drop', upload: this.pick([...this.uploads.values()]) };
		}
		return this.stepOf(this.pick(open));
	}

	// ---- sending ----

	#sendFile(daemon, { kind, upload, file, end }) {
		const complete = end === file.bytes.length ? '?1' : '?0';
		if (kind === 'mount') {
			return request(daemon, 'PUT', `${upload.of(file)}?digest=sha256:${hexOf(file.bytes)}`, { body: '' });
		}
		if (kind === 'put') {
			return request(daemon, 'PUT', upload.of(file),
				{ headers: { 'upload-complete': complete }, body: file.bytes.subarray(0, end) });
		}
		return request(daemon, 'PATCH', upload.of(file), { body: file.bytes.subarray(file.acked, end),
			headers: { 'content-type': PARTIAL, 'upload-offset': file.acked, 'upload-complete': complete } });
	}

	send(daemon, change) {
		switch (change.kind) {
		case 'publish':
			return change.how ? change.how(daemon, this.name, change.model) :
				post(daemon, `/models/${this.name}`, multipart(partsOf(change.model)));
		case 'label':
			return request(daemon, 'PUT', `/v1/models/${this.name}/labels/${change.label}`, {
				headers: { 'content-type': 'application/json' }, body: JSON.stringify({ version: change.version }),
			});
		case 'delete':
			return request(daemon, 'DELETE', `/v1/models/${this.name}/versions/${change.version}`);
		case 'open':
			return request(daemon, 'POST', '/v1/uploads', { body: JSON.stringify({ model: this.name }) });
		case 'commit':
			return request(daemon, 'POST', `${change.upload.target}:publish`);
		case 'drop':
			return request(daemon, 'DELETE', change.upload.target);
		default:
			return this.#sendFile(daemon, change);
		}
	}

	#takeVersion(version, files) {
		assert.ok(version > this.highest, `version ${version} of ${this.name} was given before`);
		this.highest = version;
		this.live.set(version, files);
	}

	#takeOffset(file, offset, complete) {
		assert.ok(offset >= file.acked && offset <= file.bytes.length, `${offset} of ${file.path}, after ${file.acked}`);
		Object.assign(file, { acked: offset, begun: true, complete });
	}

	// The change is made.
	take(change, { version, id } = {}) {
		const { kind, upload, file } = change;
		if (kind === 'publish') {
			this.#takeVersion(version, change.model.files);
		} else if (kind === 'label') {
			this.labels.set(change.label, change.version);
		} else if (kind === 'delete') {
			this.live.delete(change.version);
			this.deleted.add(change.version);
		} else if (kind === 'open') {
			this.uploads.set(id, new Upload(id, change.model));
		} else if (kind === 'commit') {
			this.#takeVersion(version, upload.files);
			upload.version = version;
		} else if (kind === 'drop') {
			this.uploads.delete(upload.id);
		} else {
			this.#takeOffset(file, change.end, change.end === file.bytes.length);
		}
	}

	// One change, remembered: false when its answer was lost, or was a 5xx that it may be.
	async apply(daemon, change) {
		this.pending = change;
		let answered;
		try {
			answered = await this.send(daemon, change);
		} catch {
			return false;
		}
		if (this.deaf) {
			return false;
		}
		this.refused = this.mayRefuse && answered.status >= 500 ? answered : null;
		if (this.refused) {
			return false;
		}
		assert.ok([200, 201, 204].includes(answered.status), `${change.kind}: ${answered.status} ${answered.text}`);
		this.take(change, answered.status === 204 ? {} : answered.json);
		this.pending = null;
		this.acknowledged++;
		this.kinds[change.kind] = (this.kinds[change.kind] ?? 0) + 1;
		return true;
	}

	// Until the daemon is gone.
	async write(daemon) {
		while (!daemon.end && await this.apply(daemon, this.nextChange())) {
			// the next one
		}
	}

	// An upload with whole files, one of `size` that comes in pieces with these ends, and one that the
	// store has; false when a step of it was lost.
	async stage(daemon, pieces, size = pieces.at(-1)) {
		const model = this.newModel({ companion: size });
		const [stored] = [...this.live.values()][0];
		model.files.push({ path: 'mounted.json', bytes: stored.bytes });
		if (!await this.apply(daemon, { kind: 'open', model })) {
			return false;
		}
		const upload = [...this.uploads.values()].at(-1);
		for (const file of upload.files) {
			const first = file.path === 'mounted.json' ? 'mount' : 'put';
			for (const [i, end] of (file.path === 'labels.bin' ? pieces : [file.bytes.length]).entries()) {
				if (!await this.apply(daemon, { kind: i > 0 ? 'patch' : first, upload, file, end })) {
					return false;
				}
			}
		}
		return upload;
	}

	// ---- after a restart ----

	async versionsOf(daemon) {
		const { status, json } = await get(daemon, `/v1/models/${this.name}`);
		return status === 200 ? json.versions.map(({ version }) => version) : [];
	}

	async #newVersion(daemon) {
		const more = (await this.versionsOf(daemon)).filter((version) => version > this.highest);
		assert.ok(more.length <= 1, `${this.name} has versions that nobody sent: ${more}`);
		return more[0];
	}

	// Publishing again answers what the lost answer would have said, or makes the version now.
	async #learnCommit(daemon, change) {
		const made = await this.#newVersion(daemon);
		const again = await this.send(daemon, change);
		assert.equal(again.status, made ? 200 : 201, again.text);
		assert.equal(again.json.version, made ?? again.json.version);
		this.take(change, again.json);
	}

	// What a change that was cut off came to: all of it, or nothing.
	async learnPending(daemon) {
		const { pending } = this;
		this.pending = null;
		if (pending?.kind === 'publish') {
			const version = await this.#newVersion(daemon);
			return version && this.take(pending, { version });
		}
		if (pending?.kind === 'label') {
			const { status, json } = await get(daemon, `/v1/models/${this.name}/labels/${pending.label}`);
			return status === 200 && json.version === pending.version && this.take(pending);
		}
		if (pending?.kind === 'delete') {
			const { status } = await get(daemon, `/models/${this.name}@${pending.version}/model.json`);
			return status === 410 && this.take(pending);
		}
		if (pending?.kind === 'commit') {
			return this.#learnCommit(daemon, pending);
		}
		if (pending?.kind === 'drop') {
			return (await get(daemon, pending.upload.target)).status === 404 && this.take(pending);
		}
		return undefined; // an upload nobody knows of holds nothing; files are asked for one by one
	}

	async #checkFile(daemon, upload, file, maybe) {
		const { status, headers } = await head(daemon, upload.of(file));
		// A file whose end was refused may have to be sent anew; not so one whose end was cut off.
		if (status === 404 && (!file.begun || (maybe && this.refused))) {
			Object.assign(file, { acked: 0, begun: false });
			return;
		}
		assert.equal(status, 200, `${upload.of(file)} after ${file.acked} of ${file.bytes.length}`);
		assert.ok(file.begun || maybe, `${upload.of(file)} came from nowhere`);
		const complete = headers['upload-complete'] === '?1';
		assert.ok(complete || !file.complete, `${upload.of(file)} was complete`);
		this.#takeOffset(file, Number(headers['upload-offset']), complete);
	}

	async #checkUpload(daemon, upload, pending) {
		const shown = await get(daemon, upload.target);
		assert.equal(shown.status, 200, `${upload.target}: ${shown.text}`);
		if (upload.version > 0) {
			assert.equal(shown.json.ref, `${this.name}@${upload.version}`);
			return;
		}
		assert.equal(shown.json.state, 'open');
		for (const file of upload.files) {
			await this.#checkFile(daemon, upload, file, pending?.file === file);
		}
	}

	async #checkVersion(daemon, version, files) {
		for (const { path: file, bytes } of files) {
			const answered = await get(daemon, `/models/${this.name}@${version}/${file}`);
			assert.equal(answered.status, 200, `${this.name}@${version}/${file}`);
			assert.ok(answered.body.equals(Buffer.from(bytes)), `${this.name}@${version}/${file} has other bytes`);
		}
	}

	async check(daemon, { all = false } = {}) {
		const { pending } = this;
		await this.learnPending(daemon);
		assert.deepEqual((await this.versionsOf(daemon)).sort((a, b) => a - b), [...this.live.keys()].sort((a, b) => a - b), this.name);
		for (const [version, files] of [...this.live].slice(all ? 0 : -READ_AGAIN)) {
			await this.#checkVersion(daemon, version, files);
		}
		for (const version of [...this.deleted].slice(all ? 0 : -READ_AGAIN)) {
			assert.equal((await get(daemon, `/models/${this.name}@${version}/model.json`)).status, 410, `${this.name}@${version}`);
		}
		for (const [label, version] of this.labels) {
			const { json } = await get(daemon, `/v1/models/${this.name}/labels/${label}`);
			assert.equal(json.version, version, `${this.name}@${label}`);
		}
		for (const upload of this.uploads.values()) {
			await this.#checkUpload(daemon, upload, pending);
		}
	}

	// Every open upload becomes a version with the right bytes.
	async finish(daemon) {
		for (const upload of this.uploads.values()) {
			while (upload.version === 0) {
				assert.ok(await this.apply(daemon, this.stepOf(upload)));
			}
			if (this.live.has(upload.version)) {
				await this.#checkVersion(daemon, upload.version, upload.files);
			}
		}
	}

	// SHA-256 of all that something holds: versions and whole files of uploads.
	held() {
		const files = [...this.live.values()].flat();
		const staged = [...this.uploads.values()].flatMap((upload) => upload.files.filter(({ complete }) => complete));
		return [...files, ...staged].map(({ bytes }) => hexOf(bytes));
	}

	parts() {
		return [...this.uploads.values()].filter(({ version }) => version === 0)
			.flatMap((upload) => upload.files.filter(({ begun, complete }) => begun && !complete).map(() => upload.id));
	}
}

// ---- the store itself ----

export async function assertSound(store) {
	const proved = await modeld(store, 'fsck');
	assert.equal(proved.code, 0, proved.stdout + proved.stderr);
	assert.match(proved.stdout, /: 0 damaged, 0 left over$/m);
}

// What these bytes are a coded form of, as a digest each.
function decodedOf(bytes) {
	return [zlib.brotliDecompressSync, zlib.gunzipSync].flatMap((decode) => {
		try {
			return [hexOf(decode(bytes))];
		} catch {
			return [];
		}
	});
}

// After a collection without grace the store has what these writers hold, coded forms of that, and
// nothing else.
export async function assertExact(daemon, writers) {
	const swept = await modeld(daemon.store, 'gc', '--grace', '0');
	assert.equal(swept.code, 0, swept.stderr);
	assert.deepEqual(daemon.files('tmp'), []);
	const named = (dir, pattern) => daemon.files(dir).map((file) => pattern.exec(path.basename(file))?.[1] ?? file).sort();
	const held = new Set(writers.flatMap((writer) => writer.held()));
	const forms = new Set(daemon.files('blobs').filter((file) => !held.has(path.basename(file).slice(0, 64)))
		.filter((file) => decodedOf(fs.readFileSync(file)).some((digest) => held.has(digest)))
		.map((file) => path.basename(file).slice(0, 64)));
	assert.deepEqual(named('blobs', /^([0-9a-f]{64})\.[0-9a-f]+$/), [...held, ...forms].sort());
	assert.deepEqual(named('uploads', /^([0-9a-f]{32})\.[0-9a-f]+$/), writers.flatMap((writer) => writer.parts()).sort());
	await assertSound(daemon.store);
}
