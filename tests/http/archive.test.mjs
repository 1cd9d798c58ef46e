// SPDX-License-Identifier: Apache-2.0
// Models published as archives, in folders, and with a coded body.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { TAR, TAR_GZ, ZIP, archived, makers, noMaker, written } from '../lib/archives.mjs';
import { have, NO_FORMS, scratchDir, startDaemon, until, useDaemon } from '../lib/daemon.mjs';
import {
	Wire, assertProblem, get, multipart, partsOf, post, published, request, requestHead,
} from '../lib/http.mjs';
import { addGraph, denseModel, utf8, withFile } from '../lib/models.mjs';

const run = promisify(execFile);
const MIB = 1 << 20;
const FRAMING = 64 * MIB; // what a body may have beyond the limit of a version

const model = withFile(denseModel({ shardBytes: 20, prefix: 'weights/' }), 'docs/labels é.txt',
	utf8('cat\n'));
const versions = (name) => `/v1/models/${name}/versions`;
const named = (text) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

async function assertServes(daemon, ref, { files }) {
	for (const { path: file, bytes } of files) {
		const answered = await get(daemon, `/models/${ref}/${encodeURI(file)}`);
		assert.equal(answered.status, 200, `${ref}/${file}: ${answered.text.slice(0, 200)}`);
		assert.deepEqual(answered.body, Buffer.from(bytes), `${ref}/${file}`);
	}
}

const nothingLeft = (daemon) =>
	until('temporary files to be gone', () => daemon.files('tmp').length === 0);

const rejectionsOf = async (daemon, name) =>
	(await get(daemon, `/v1/models/${name}/rejections`)).json.rejections;

describe('archives', { concurrency: false }, () => {
	const daemon = useDaemon({ set: NO_FORMS });

	for (const maker of Object.keys(makers)) {
		test(`of ${maker} are published and served byte for byte`, { skip: noMaker(maker) }, async () => {
			const name = `made/${named(maker)}`;
			const answered = await post(daemon, versions(name), await archived(maker, written(model)));
			assert.equal(answered.status, 201, answered.text);
			assert.equal(answered.headers.location, `/models/${name}@1/model.json`);
			const { files } = (await get(daemon, `/v1/models/${name}/versions/1`)).json;
			assert.deepEqual(files.map((file) => file.path).sort(), model.files.map((file) => file.path).sort());
			await assertServes(daemon, `${name}@1`, model);
		});

		test(`of ${maker} with all in one folder are the same`, { skip: noMaker(maker) }, async () => {
			const { root_digest: root } = await published(daemon, `folder/${named(maker)}`, model);
			const answered = await post(daemon, versions(`folder/${named(maker)}`),
				await archived(maker, written(model, 'top/web_model'), 'top'));
			assert.equal(answered.status, 200, answered.text);
			assert.equal(answered.json.root_digest, root);
			assert.equal(answered.json.deduplicated, true);
		});
	}

	test('are answered as forms are, at both URLs, by POST and by PUT', async () => {
		const tar = await archived('tar', written(model));
		const [form, ...others] = [
			await post(daemon, '/models/urls/form', multipart(partsOf(model))),
			await post(daemon, versions('urls/form2'), multipart(partsOf(model))),
			await post(daemon, versions('urls/api'), tar),
			await post(daemon, '/models/urls/data', tar),
			await post(daemon, '/models/urls/put', tar, { method: 'PUT' }),
		];
		for (const other of others) {
			assert.equal(other.status, 201, other.text);
			assert.deepEqual(Object.keys(other.json), Object.keys(form.json));
			assert.equal(other.json.root_digest, form.json.root_digest);
			for (const member of ['modelTopologyBytes', 'weightSpecsBytes', 'weightDataBytes']) {
				assert.equal(other.json.modelArtifactsInfo[member], form.json.modelArtifactsInfo[member]);
			}
		}
	});

	test('can be posted at /versions, and not put or deleted', async () => {
		for (const method of ['PUT', 'DELETE', 'PATCH']) {
			const answered = await request(daemon, method, '/v1/models/m/versions');
			assertProblem(answered, 405, 'METHOD_NOT_ALLOWED');
			assert.equal(answered.headers.allow, 'GET, HEAD, POST, OPTIONS');
		}
	});


	test('of a dry run are judged and not stored', async () => {
		const answered = await post(daemon, `${versions('dry')}?dry_run=true`,
			await archived('tar -z', written(model, 'top')));
		assert.equal(answered.status, 200, answered.text);
		assert.equal(answered.json.dry_run, true);
		assert.equal(answered.json.would_be.deduplicated, false);
		assert.equal((await get(daemon, '/v1/models/dry')).status, 404);
		await nothingLeft(daemon);
	});

	test('of a broken model are refused with the findings, which stay readable', async () => {
		const broken = withFile(model, 'weights/group1-shard1of3.bin', new Uint8Array(3));
		const problem = assertProblem(await post(daemon, versions('broken'),
			await archived('tar -z', written(broken, 'top'))), 422, 'NOT_LOADABLE');
		assert.equal(problem.errors[0].rule, 'weights.too-short');
		const [one] = await rejectionsOf(daemon, 'broken');
		assert.deepEqual(one.errors, problem.errors);
		assert.equal(one.request_id, problem.request_id);
		await nothingLeft(daemon);
	});

	for (const [type, kind] of [['application/x-gzip', 'tar -z'], ['APPLICATION/ZIP', 'zip'],
		['application/x-zip-compressed; x=y', 'zip'], ['application/x-compressed-tar', 'tar -z']]) {
		test(`are known as ${type} too`, { skip: noMaker(kind) }, async () => {
			const { body } = await archived(kind, written(model));
			const answered = await post(daemon, `${versions('typed')}?dry_run=true`,
				{ headers: { 'content-type': type }, body });
			assert.equal(answered.status, 200, answered.text);
		});
	}

	test('of another type are 415, without a word about codings', async () => {
		for (const type of ['application/x-7z-compressed', 'application/json', 'multipart/mixed']) {
			const answered = await post(daemon, versions('typed'),
				{ headers: { 'content-type': type }, body: Buffer.from('x') });
			const { detail } = assertProblem(answered, 415, 'UNSUPPORTED_MEDIA_TYPE');
			assert.match(detail, /multipart\/form-data.*application\/gzip/);
			assert.equal(answered.headers['accept-encoding'], undefined);
		}
	});

	describe('that are not what they should be', () => {
		async function tarOf(prepare, ...words) {
			const dir = written(model);
			prepare(dir);
			const { stdout } = await run('tar', ['-cf', '-', ...words, '.'], { cwd: dir, encoding: 'buffer' });
			return stdout;
		}

		async function assertRefused(type, body, code, says) {
			const { detail } = assertProblem(await post(daemon, versions('hostile'),
				{ headers: { 'content-type': type }, body }), 400, code);
			assert.match(detail, says);
			assert.equal((await get(daemon, '/v1/models/hostile')).status, 404);
			await nothingLeft(daemon);
		}

		test('a symbolic link', async () => {
			await assertRefused(TAR, await tarOf((dir) => fs.symlinkSync('/etc/passwd', path.join(dir, 'l'))),
				'BAD_ARCHIVE', /"\.\/l" is a link/);
		});

		test('a hard link', async () => {
			await assertRefused(TAR, await tarOf((dir) =>
				fs.linkSync(path.join(dir, 'model.json'), path.join(dir, 'zz.json'))),
			'BAD_ARCHIVE', /is a link/);
		});

		test('a sparse file', async () => {
			await assertRefused(TAR, await tarOf((dir) => fs.truncateSync(path.join(dir, 'model.json'), MIB), '-S'),
				'BAD_ARCHIVE', /model\.json" is a sparse file/);
		});

		test('a path that climbs', async () => {
			await assertRefused(TAR, await tarOf(() => {}, '-P', '--transform=s,labels,../../up,'),
				'BAD_PATH', /entry ".*\.\.\/\.\.\/up.*'\.\.'/);
		});

		test('an absolute path', async () => {
			await assertRefused(TAR, await tarOf(() => {}, '-P', '--transform=s,^\\./,/abs/,'),
				'BAD_PATH', /entry "\/abs\//);
		});

		test('two entries of one name', async () => {
			const dir = written(model);
			const { stdout } = await run('tar', ['--hard-dereference', '-cf', '-', 'model.json', ...fs.readdirSync(dir)],
				{ cwd: dir, encoding: 'buffer' });
			await assertRefused(TAR, stdout, 'BAD_ARCHIVE', /two entries are called model\.json/);
		});

		test('an encrypted zip', { skip: noMaker('zip') }, async () => {
			const { stdout } = await run('zip', ['-qr', '-P', 'secret', '-', '.'],
				{ cwd: written(model), encoding: 'buffer' });
			await assertRefused(ZIP, stdout, 'BAD_ARCHIVE', /is encrypted/);
		});

		test('a zip packed by bzip2', { skip: noMaker('zip') }, async () => {
			const dir = written(withFile(model, 'docs/labels é.txt', utf8('cat '.repeat(10_000))));
			const { stdout } = await run('zip', ['-qr', '-Z', 'bzip2', '-', '.'],
				{ cwd: dir, encoding: 'buffer' });
			await assertRefused(ZIP, stdout, 'BAD_ARCHIVE', /in another way than by deflate/);
		});

		test('a cut off archive, of each kind', async () => {
			for (const [maker, code, says] of [['tar', 'BAD_ARCHIVE', /./], ['tar -z', 'BAD_GZIP', /cut off/],
				...(noMaker('zip') ? [] : [['zip', 'BAD_ARCHIVE', /no zip directory/]])]) {
				const { body } = await archived(maker, written(model));
				await assertRefused(makers[maker].type, body.subarray(0, Math.floor(body.length / 2)), code, says);
			}
		});

		test('gzip twice', async () => {
			const { body } = await archived('tar -z', written(model));
			await assertRefused(TAR_GZ, zlib.gzipSync(body), 'BAD_ARCHIVE', /no tar\.gz/);
		});

		test('a tar.gz that says it is a tar', async () => {
			const { body } = await archived('tar -z', written(model));
			await assertRefused(TAR, body, 'BAD_ARCHIVE', /the body is gzip/);
		});

		test('no bytes', async () => {
			await assertRefused(TAR, Buffer.alloc(0), 'BAD_ARCHIVE', /no bytes/);
		});
	});

	describe('on their way', () => {
		test('may be sent in chunks', async () => {
			const { body } = await archived('tar -z', written(model));
			for (const size of [1, 1000]) {
				const wire = new Wire(daemon.port);
				const pieces = [];
				for (let at = 0; at < body.length; at += size) {
					const chunk = body.subarray(at, at + size);
					pieces.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
				}
				await wire.send(requestHead('POST', versions('chunked'),
					{ 'Content-Type': TAR_GZ, 'Transfer-Encoding': 'chunked' }),
				Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]));
				const answered = await wire.answer();
				assert.equal(answered.status, size === 1 ? 201 : 200, answered.body.toString());
				wire.destroy();
			}
			await assertServes(daemon, 'chunked@1', model);
		});

		test('are asked for with 100 Continue', async () => {
			const { body } = await archived('tar', written(model));
			const wire = new Wire(daemon.port);
			await wire.send(requestHead('POST', versions('continue'),
				{ 'Content-Type': TAR, 'Content-Length': body.length, Expect: '100-continue' }));
			assert.equal((await wire.answer()).status, 100);
			await wire.send(body);
			assert.equal((await wire.answer()).status, 201);
			wire.destroy();
		});

		for (const [what, headers] of [
			['of an unknown type', { 'Content-Type': 'application/x-rar' }],
			['in an unknown coding', { 'Content-Type': TAR, 'Content-Encoding': 'br' }],
		]) {
			test(`are not asked for ${what}`, async () => {
				const wire = new Wire(daemon.port);
				await wire.send(requestHead('POST', versions('continue'),
					{ ...headers, 'Content-Length': 1_000_000, Expect: '100-continue' }));
				assert.equal((await wire.answer()).status, 415);
				wire.destroy();
			});
		}

		test('leave nothing when the connection is cut', async () => {
			const { body } = await archived('tar', written(addGraph({ size: MIB })));
			for (const headers of [{ 'Content-Length': body.length }, { 'Transfer-Encoding': 'chunked' }]) {
				const wire = new Wire(daemon.port);
				const half = body.subarray(0, body.length >> 1);
				const chunk = Buffer.concat([Buffer.from(`${half.length.toString(16)}\r\n`), half]);
				await wire.send(requestHead('POST', versions('cut'), { 'Content-Type': TAR, ...headers }),
					'Content-Length' in headers ? half : chunk);
				await until('the archive to arrive', () => daemon.files('tmp').length > 0);
				wire.destroy();
				await nothingLeft(daemon);
				assert.equal((await get(daemon, '/v1/models/cut')).status, 404);
			}
		});
	});

	describe('with curl', { skip: !have('curl') && 'curl is not installed' }, () => {
		async function curl(cwd, ...args) {
			const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code}', ...args], { cwd });
			const [, body, status] = /^([^]*)\n(\d+)$/.exec(stdout);
			return { status: Number(status), body };
		}

		async function file(maker) {
			const dir = scratchDir('curl');
			fs.writeFileSync(path.join(dir, 'model'), (await archived(maker, written(model))).body);
			return dir;
		}

		test('--data-binary and -T send an archive', async () => {
			const dir = await file('tar -z');
			const type = ['-H', `Content-Type: ${TAR_GZ}`];
			const sent = await curl(dir, ...type, '--data-binary', '@model', daemon.url(versions('curl/data')));
			assert.equal(sent.status, 201, sent.body);
			const put = await curl(dir, ...type, '-T', 'model', daemon.url('/models/curl/put'));
			assert.equal(put.status, 201, put.body);
			await assertServes(daemon, 'curl/put@1', model);
		});

		test('-F sends files with their folders, in any order, and a common one is dropped', async () => {
			const dir = written(model, 'top');
			const form = model.files.map((one) => ['-F',
				`f=@"top/${one.path}";filename="top/${one.path}"`]);
			for (const order of [form, form.toReversed?.() ?? [...form].reverse()]) {
				const sent = await curl(dir, ...order.flat(), daemon.url(versions('curl/form')));
				assert.equal(sent.status, order === form ? 201 : 200, sent.body);
			}
			await assertServes(daemon, 'curl/form@1', model);
		});
	});
});

describe('a body with Content-Encoding', { concurrency: false }, () => {
	const daemon = useDaemon();
	const form = multipart(partsOf(model));

	test('gzip is decoded, of a form and of an archive', async () => {
		const tar = await archived('tar', written(model));
		const tarGz = await archived('tar -z', written(model));
		for (const [i, { headers, body }] of [form, tar, tarGz].entries()) {
			const answered = await post(daemon, versions('coded'), {
				headers: { ...headers, 'content-encoding': 'gzip' }, body: zlib.gzipSync(body) });
			assert.equal(answered.status, i === 0 ? 201 : 200, answered.text);
		}
		await assertServes(daemon, 'coded@1', model);
	});

	test('gzip of several members, as pigz and cat make it, is decoded', async () => {
		const middle = form.body.length >> 1;
		const body = Buffer.concat([zlib.gzipSync(form.body.subarray(0, middle)),
			zlib.gzipSync(form.body.subarray(middle))]);
		const answered = await post(daemon, '/models/members',
			{ headers: { ...form.headers, 'content-encoding': 'gzip' }, body });
		assert.equal(answered.status, 201, answered.text);
	});

	for (const [what, spoil, says] of [
		['cut off', (body) => body.subarray(0, -9), /cut off/],
		['damaged', (body) => Buffer.concat([body.subarray(0, -8), Buffer.alloc(8)]), /damaged/],
		['followed by something', (body) => Buffer.concat([body, Buffer.from('more')]), /something follows/],
		['not there', () => form.body, /not gzip/],
	]) {
		test(`gzip that is ${what} is 400`, async () => {
			const answered = await post(daemon, '/models/spoilt', { body: spoil(zlib.gzipSync(form.body)),
				headers: { ...form.headers, 'content-encoding': 'gzip' } });
			assert.match(assertProblem(answered, 400, 'BAD_GZIP').detail, says);
			await nothingLeft(daemon);
		});
	}

	for (const coding of ['br', 'deflate', 'zstd', 'gzip, gzip', 'nonsense']) {
		test(`${coding} is 415, and the answer says what would do`, async () => {
			const answered = await post(daemon, '/models/coding',
				{ headers: { ...form.headers, 'content-encoding': coding }, body: form.body });
			assertProblem(answered, 415, 'UNSUPPORTED_MEDIA_TYPE');
			assert.equal(answered.headers['accept-encoding'], 'gzip');
		});
	}

	test('is allowed to pages', async () => {
		const answered = await request(daemon, 'OPTIONS', '/models/page', { headers: {
			origin: 'http://localhost:3000', 'access-control-request-method': 'POST',
			'access-control-request-headers': 'content-encoding' } });
		assert.match(answered.headers['access-control-allow-headers'], /content-encoding/i);
	});
});

describe('limits', { concurrency: false }, () => {
	const daemon = useDaemon({ set: {
		'limits.version': '1MiB', 'limits.file': '600KiB', 'limits.files': '5', 'limits.model_json': '4KiB' } });
	const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 2654435761) >>> 13);
	const with2 = (n) => withFile(withFile(model, 'a', bytes(n)), 'b', bytes(n));

	async function assertTooLarge(sent, says) {
		for (const maker of ['tar', 'tar -z', 'zip'].filter((one) => !noMaker(one))) {
			const answered = await post(daemon, versions('large'), await archived(maker, written(sent, 'top')));
			assert.match(assertProblem(answered, 413, 'TOO_LARGE').detail, says, maker);
			await nothingLeft(daemon);
		}
	}

	test('of a file hold inside an archive', () =>
		assertTooLarge(withFile(denseModel(), 'a', bytes(601 << 10)), /a is larger than 600 KiB/));
	test('of a version hold inside an archive', () =>
		assertTooLarge(withFile(withFile(denseModel(), 'a', bytes(520 << 10)), 'b', bytes(520 << 10)),
			/together are larger than 1 MiB/));
	test('of the number of files hold inside an archive', () =>
		assertTooLarge(withFile(with2(1), 'c', bytes(1)), /one file too many: the limit is 5/));
	test('of a model.json hold inside a folder of an archive', () =>
		assertTooLarge(withFile(denseModel(), 'model.json', utf8('{}'.padEnd(5000))), /limit for a model\.json/));

	test('of a body are checked before it where its length is declared', async () => {
		for (const more of [{}, { Expect: '100-continue' }, { 'Content-Encoding': 'gzip' }]) {
			const wire = new Wire(daemon.port);
			await wire.send(requestHead('POST', versions('declared'),
				{ 'Content-Type': TAR, 'Content-Length': FRAMING + 2 * MIB, ...more }));
			assert.equal((await wire.answer()).status, 413);
			wire.destroy();
		}
	});

	test('of a body are checked as it is decoded where it is not', async () => {
		const bomb = zlib.gzipSync(Buffer.alloc(FRAMING + 2 * MIB));
		const answered = await post(daemon, versions('undeclared'),
			{ headers: { 'content-type': TAR, 'content-encoding': 'gzip' }, body: bomb });
		assertProblem(answered, 413, 'TOO_LARGE');
		await nothingLeft(daemon);
	});

	test('of how far a body swells hold', async (t) => {
		const strict = await startDaemon(t, { set: { 'limits.expansion': '10' } });
		const bomb = zlib.gzipSync(Buffer.alloc(FRAMING + 2 * MIB));
		for (const headers of [{ 'content-type': TAR_GZ },
			{ 'content-type': TAR, 'content-encoding': 'gzip' }]) {
			const answered = await post(strict, versions('bomb'), { headers, body: bomb });
			assert.match(assertProblem(answered, 413, 'TOO_LARGE').detail, /more than 10 times its size/);
			await nothingLeft(strict);
		}
		await strict.stop();
	});
});
