// SPDX-License-Identifier: Apache-2.0
// Request targets that are odd, reserved or meant ill (RFC 9112 3.2, RFC 3986 6.2.2). Whatever the target: never a
// redirect, never another file, and on the path of a shard an empty body.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, test } from 'node:test';

import { have, useDaemon } from '../lib/daemon.mjs';
import { Wire, assertOpenToPages, assertProblem, assertQuietError, get, multipart, partsOf, post, published, requestHead } from '../lib/http.mjs';
import { denseModel, shardsOf, utf8, withFile } from '../lib/models.mjs';

const FILES = {
	'sub dir/étiquette @2.txt': 'space, letters and an @\n',
	'@odd.txt': 'begins with an @\n',
	'versions/labels.txt': 'a reserved word as a folder\n',
	'a.b/model.json.txt': 'nearly model.json\n',
};
const [SECRET] = Object.values(FILES);
const model = Object.entries(FILES).reduce((made, [path, text]) => withFile(made, path, utf8(text)), denseModel());
const [{ path: shard }] = shardsOf(model);

describe('targets', () => {
	const daemon = useDaemon();
	const name = 'team/m';

	before(async () => {
		await published(daemon, name, model);
		await published(daemon, 'other', denseModel({ seed: 2 }));
	});

	async function raw(target, headers = {}) {
		const wire = new Wire(daemon.port);
		await wire.send(requestHead('GET', target, { ...headers, Connection: 'close' }));
		const answered = await wire.answer();
		assert.equal((await wire.rest()).length, 0);
		assert.ok(answered.status < 300 || answered.status >= 400, `${target} is ${answered.status}`);
		assert.equal(answered.headers.location, undefined);
		assertOpenToPages(answered);
		return answered;
	}

	// [what it is, target, status]: the body is empty unless the path ends in model.json.
	const REFUSED = [
		['a dot segment', `/models/${name}@1/./${shard}`, 400],
		['two dots', `/models/${name}@1/../m@1/${shard}`, 400],
		['two dots at the end', `/models/${name}@1/..`, 400],
		['two dots above the root', '/../../etc/passwd', 400],
		['encoded dots', `/models/${name}@1/%2e%2e/m@1/${shard}`, 400],
		['dots, one of them encoded', `/models/${name}@1/.%2E/${shard}`, 400],
		['an encoded dot', `/models/${name}@1/%2e/${shard}`, 400],
		['dots encoded twice', `/models/${name}@1/%252e%252e/${shard}`, 404],
		['a double slash', `/models//${name}@1/${shard}`, 400],
		['a double slash before the file', `/models/${name}@1//${shard}`, 400],
		['a double slash at the start', `//models/${name}@1/${shard}`, 400],
		['a slash at the end', `/models/${name}@1/${shard}/`, 400],
		['an encoded slash', `/models/${name}@1%2f${shard}`, 400],
		['an encoded slash in capitals', `/models/${name}@1/a%2F${shard}`, 400],
		['an encoded slash in the name', `/models/team%2fm@1/${shard}`, 400],
		['a slash encoded twice', `/models/${name}@1%252f${shard}`, 404],
		['an encoded backslash', `/models/${name}@1/a%5c..%5c${shard}`, 400],
		['a backslash', `/models/${name}@1/a\\..\\${shard}`, 400],
		['an encoded NUL', `/models/${name}@1/${shard}%00.txt`, 400],
		['an encoded line end', `/models/${name}@1/a%0d%0aSet-Cookie:%20x`, 400],
		['an escape that ends early', `/models/${name}@1/a%2`, 400],
		['an escape that is none', `/models/${name}@1/a%zz`, 400],
		['%u, as IIS had it', `/models/${name}@1/%u002e%u002e`, 400],
		['overlong UTF-8', `/models/${name}@1/%c0%ae%c0%ae`, 400],
		['bytes that are not UTF-8', `/models/${name}@1/%ff%fe`, 400],
		['a fragment', `/models/${name}@1/${shard}#x`, 400],
		['a semicolon', `/models/${name}@1;v=2/${shard}`, 404],
		['a name in capitals', `/models/Team/m@1/${shard}`, 404],
		['a file in capitals', `/models/${name}@1/${shard.toUpperCase()}`, 404],
		['a version with a sign', `/models/${name}@+1/${shard}`, 404],
		['a version with a zero in front', `/models/${name}@01/${shard}`, 404],
		['a version that no number holds', `/models/${name}@99999999999999999999999/${shard}`, 404],
		['a label in capitals', `/models/${name}@Stable/${shard}`, 404],
		['nothing behind the @', `/models/${name}@/${shard}`, 404],
		['nothing before the @', `/models/@1/${shard}`, 404],
		['two @', `/models/${name}@1@1/${shard}`, 404],
		['an @ in the first segment', `/models/team@1/m/${shard}`, 404],
		['a digest cut off', `/models/${name}@sha256:00/${shard}`, 404],
		['a digest in capitals', `/models/${name}@sha256:${'A'.repeat(64)}/${shard}`, 404],
		['five segments', `/models/a/b/c/d/e@1/${shard}`, 404],
		['a reserved segment', `/models/versions@1/${shard}`, 404],
		['a reserved segment in the middle', `/models/team/uploads/m@1/${shard}`, 404],
		['model.json as a name', '/models/model.json/model.json', 404],
		['a folder', `/models/${name}@1/sub%20dir`, 404],
		['the catalog', '/catalog.db', 404],
		['the catalog beside models', '/models/catalog.db', 404],
		['a path of many segments', `/models/${name}@1/${'a/'.repeat(2000)}b`, 404],
		['a path longer than a file may have', `/models/${name}@1/${'a'.repeat(2000)}`, 404],
		['a name longer than a model may have', `/models/${'a'.repeat(200)}@1/${shard}`, 404],
	];

	for (const [what, target, status] of REFUSED) {
		test(`${what} is ${status}: ${target.slice(0, 70)}`, async () => {
			const answered = await raw(target);
			assert.equal(answered.status, status, answered.body.toString());
			assert.equal(answered.headers['cache-control'], 'no-store');
			assert.ok(answered.headers['x-error-code']);
			assert.ok(!answered.body.includes(SECRET));
			const quiet = target.startsWith('/models/') && !target.endsWith('/model.json');
			assert.equal(answered.body.length === 0, quiet, answered.body.toString());
		});
	}

	test('RFC 9110 15.5.15: a target that is too long is 414', async () => {
		for (const target of [`/models/${name}@1/${shard}?${'q'.repeat(9000)}`, `/${'a'.repeat(9000)}`]) {
			assert.equal((await raw(target)).status, 414);
		}
	});

	test('what names a file, in whatever spelling RFC 3986 6.2.2 holds equal, is that file', async () => {
		const spelled = {
			'sub%20dir/%C3%A9tiquette%20@2.txt': 0, 'sub%20dir/%c3%a9tiquette%20%402.txt': 0, '@odd.txt': 1,
			'%40odd.txt': 1, 'versions/labels.txt': 2, '%76ersions/labels%2Etxt': 2, 'a.b/model.json.txt': 3,
		};
		for (const [path, index] of Object.entries(spelled)) {
			for (const ref of ['team/m@1', 'team/m%401', '%74eam/m@latest']) {
				const answered = await raw(`/models/${ref}/${path}`);
				assert.equal(answered.status, 200, `${ref}/${path}`);
				assert.equal(answered.body.toString(), Object.values(FILES)[index]);
			}
		}
	});

	// The browser's URL parser takes dot segments, encoded ones too, away before it asks.
	test('TensorFlow.js: ../m@1/x beside model.json is asked as /models/team/m@1/x', async () => {
		const url = new URL(`../m@1/./%2e/${shard}`, daemon.url('/models/team/m/model.json'));
		assert.equal(url.pathname, `/models/team/m@1/${shard}`);
		assert.equal((await get(daemon, url.pathname)).status, 200);
	});

	test('RFC 9112 3.2.2: the absolute form is answered as the origin form, by its own authority', async () => {
		for (const authority of [`127.0.0.1:${daemon.port}`, 'localhost', 'LOCALHOST:1']) {
			assert.equal((await raw(`http://${authority}/models/${name}@1/${shard}`)).status, 200, authority);
		}
		assert.equal((await raw(`http://example.com/models/${name}@1/${shard}`)).status, 421);
		for (const target of [`http://user@localhost/models/${name}@1/${shard}`, `ftp://localhost/models/${name}@1/${shard}`,
			'http://localhost', 'http:///models', `models/${name}@1/${shard}`, '*']) {
			const answered = await raw(target);
			assert.ok(answered.status >= 400, `${target} is ${answered.status}`);
			assert.ok(!answered.body.includes(SECRET));
		}
	});

	test('a query never changes a file', async () => {
		const plain = await raw(`/models/${name}@1/${shard}`);
		for (const query of ['?', '?x', '?tfjs-format=file', '?tfjs-format=FILE', '?tfjs-format', '?tfjs-format=other', '?../../x',
			'?a=%00'.replace('%00', '%01'), '?model.json', '?/model.json', '?@2', '?version=2', `?${'q'.repeat(4000)}`, '??', '?a=/../b']) {
			const answered = await raw(`/models/${name}@1/${shard}${query}`);
			assert.equal(answered.status, 200, query);
			assert.ok(answered.body.equals(plain.body), query);
			assert.equal(answered.headers['cache-control'], plain.headers['cache-control']);
		}
	});

	// [what it is, target, status]
	const API = [
		['an encoded slash in the name', '/v1/models/team%2fm', 400],
		['a slash encoded twice', '/v1/models/team%252fm', 404],
		['an encoded slash before a word of the API', '/v1/models/team/m%2fversions', 400],
		['an encoded slash before a version', '/v1/models/team/m/versions%2f1', 400],
		['an encoded slash behind the first segment', '/v1%2fmodels', 400],
		['encoded dots', '/v1/models/x/%2e%2e/team/m', 400],
		['dots encoded twice', '/v1/models/x/%252e%252e/team/m', 404],
		['an encoded backslash', '/v1/models/team%5cm', 400],
		['an overlong slash', '/v1/models/team%c0%afm', 400],
		['an overlong slash of three bytes', '/v1/models/team%e0%80%afm', 400],
		['overlong dots', '/v1/models/x/%c0%ae%c0%ae/team/m', 400],
		['half a surrogate pair', '/v1/models/team/m/versions/%ed%a0%80', 400],
		['beyond Unicode', '/v1/models/team/m/versions/%f4%90%80%80', 400],
		['a full-width slash', '/v1/models/team%ef%bc%8fm', 404],
		['a full-width digit', '/v1/models/team/m/versions/%ef%bc%91', 404],
		['an encoded NUL', '/v1/models/team/m/versions/1%00', 400],
		['an encoded line end', '/v1/models/team/m/versions/1%0d%0a', 400],
		['an encoded blank', '/v1/models/team/m/versions/1%20', 404],
		['an encoded question mark', '/v1/models/team/m/versions/1%3fx', 404],
		['an encoded hash', '/v1/models/team/m/versions/1%23x', 404],
		['a version encoded twice', '/v1/models/team/m/versions/%2531', 404],
		['an escape that ends early', '/v1/models/team/m/versions/1%', 400],
		['dots for a job', '/v1/jobs/%2e%2e', 400],
		['a slash for a job', '/v1/jobs/a%2fb', 400],
		['dots in an upload', '/v1/uploads/%2e%2e/files/x', 400],
		['a letter of the name, encoded', '/v1/models/%74eam/m', 200],
		['a version, encoded', '/v1/models/team/m/versions/%31', 200],
		['a word of the API, encoded', '/v1/models/team/m/%76ersions', 200],
		['the first segment, encoded', '/%761/models', 200],
		['a limit, encoded', '/v1/models?limit=%31', 200],
		['a key, encoded', '/v1/models?%6cimit=1', 200],
		['a limit encoded twice', '/v1/models?limit=%2531', 400],
		['a limit with an encoded NUL', '/v1/models?limit=1%00', 400],
		['a limit with an encoded blank', '/v1/models?limit=%201', 400],
		['a limit with a plus', '/v1/models?limit=+1', 400],
		['a limit with an encoded &', '/v1/models?limit=1%26limit=2', 400],
		['a limit with overlong digits', '/v1/models?limit=%c0%b1', 400],
		['a limit with a full-width digit', '/v1/models?limit=%ef%bc%91', 400],
		['a limit with an escape that is none', '/v1/models?limit=%zz', 400],
		['a prefix with an escape that ends early', '/v1/models?prefix=team%2', 400],
		['a page token of versions with an escape that is none', '/v1/models/team/m/versions?page_token=%zz', 400],
		['a page token of jobs with an escape that is none', '/v1/jobs?page_token=%zz', 400],
		['a page token with an escape that is none', '/v1/models?page_token=%zz', 400],
	];

	for (const [what, target, status] of API) {
		test(`in the API, ${what} is ${status}: ${target}`, async () => {
			const answered = await raw(target);
			assert.equal(answered.status, status, answered.body.toString());
			if (status >= 400) {
				assertProblem(withJsonBody(answered), status, answered.headers['x-error-code']);
			}
		});
	}

	test('a prefix is decoded once, and only a letter of a name finds one', async () => {
		const list = async (query) => withJsonBody(await raw(`/v1/models?${query}`)).json.models?.map((one) => one.name);
		for (const query of ['prefix=team/', 'prefix=team%2f', 'prefix=team%2F', '%70refix=team/', 'prefix=team/&prefix=other']) {
			assert.deepEqual(await list(query), [name], query);
		}
		for (const query of ['prefix=team%252f', 'prefix=team%c0%af', 'prefix=team%ef%bc%8f', 'prefix=team%5c', 'prefix=..%2f', 'prefix=%25']) {
			assert.deepEqual(await list(query) ?? [], [], query);
		}
	});

	test('what is no name is no model: it can be neither published nor found', async () => {
		for (const odd of ['Upper', 'versions', 'a/labels', 'a/metadata', 'uploads/b', 'a/model.json', 'a..b', '-a', 'a-', 'a b', 'a_/b',
			'a/b/c/d/e', 'x'.repeat(129), 'é']) {
			const target = `/models/${encodeURI(odd)}`;
			const made = await post(daemon, target, multipart(partsOf(denseModel())));
			assert.ok([400, 405].includes(made.status), `${odd} is ${made.status}`);
			assert.equal((await raw(`${target}@1/${shard}`)).status, 404, odd);
			assertProblem(await raw(`${target}/model.json`).then(withJsonBody), 404, 'MODEL_NOT_FOUND');
		}
	});

	test('curl asks for these paths as they are, and gets none of them', { skip: !have('curl') && 'there is no curl' }, () => {
		for (const path of ['/models/team/m@1/../../../catalog.db', '/models/team/m@1/%2e%2e/%2e%2e/catalog.db', '/models/..%2fcatalog.db']) {
			const { stdout } = spawnSync('curl', ['-s', '--path-as-is', '-o', '/dev/null', '-w', '%{http_code} %{size_download} %{redirect_url}',
				daemon.url(path)], { encoding: 'utf8' });
			assert.equal(stdout, '400 0 ', path);
		}
	});

	test('an error in the path of a shard has its cause in a header', async () => {
		assertQuietError(await get(daemon, `/models/${name}@1/a%zz`), 400, 'BAD_TARGET');
		assertQuietError(await get(daemon, `/models/${name}@7/${shard}`), 404, 'VERSION_NOT_FOUND');
		assertQuietError(await get(daemon, `/models/${name}@1/a%00`), 400, 'BAD_TARGET');
	});

	test('an error in the head of a request for a shard has its cause in a header', async () => {
		const target = `/models/${name}@1/${shard}?x`;
		const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, '1']));
		assertQuietError(await get(daemon, target, many), 431, 'HEADERS_TOO_LARGE');
		assertQuietError(await get(daemon, target, { host: 'evil.example' }), 421, 'WRONG_HOST');
		assertProblem(await get(daemon, `/models/${name}@1/model.json`, many), 431, 'HEADERS_TOO_LARGE');
	});
});

function withJsonBody(answered) {
	return { ...answered, text: answered.body.toString(), json: JSON.parse(answered.body.toString()) };
}
