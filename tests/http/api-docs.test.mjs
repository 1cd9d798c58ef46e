// SPDX-License-Identifier: Apache-2.0
// The examples of docs/api.md, run as they stand there: in one shell, one after the other, against one
// daemon. A status in a comment is what its curl gets; where the text has an address of elsewhere, there is
// an origin of this test.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { have, scratchDir, useDaemon } from '../lib/daemon.mjs';
import { blocksOf } from '../lib/documents.mjs';
import { denseModel } from '../lib/models.mjs';

const DOCUMENT = 'docs/api.md';
const SHELL_MS = 120_000;

const examples = blocksOf(DOCUMENT).filter(({ words }) => words.includes('status')).map(({ line, text }) => ({
	line, code: text, statuses: [...text.matchAll(/ # (\d{3})$/gm)].map(([, status]) => status),
}));

// Keeps what follows ID=, ETAG= and so on from one example to the next.
const PRELUDE = `
set -euo pipefail
curl() { command curl -sS --max-time 60 -w '%{stderr}%{http_code}\\n' "$@" 2>>"$STATUSES"; }
[ ! -f "$KEPT" ] || . "$KEPT"
`;

describe('the examples of docs/api.md', { skip: !have('curl') && 'curl is not installed' }, () => {
	const daemon = useDaemon({ set: { 'import.allow': '127.0.0.1' } });
	const dir = scratchDir('docs');
	const model = denseModel({ shardBytes: 1000 });
	const files = new Map(model.files.map(({ path: name, bytes }) => [name, bytes]));
	const elsewhere = http.createServer((asked, answer) => {
		const bytes = files.get(asked.url.replace('/pose/', ''));
		answer.writeHead(bytes ? 200 : 404).end(bytes);
	});

	before(async () => {
		for (const [name, bytes] of files) {
			fs.writeFileSync(path.join(dir, name), bytes);
		}
		await new Promise((resolve) => { elsewhere.listen(0, '127.0.0.1', resolve); });
	});
	after(() => elsewhere.close());

	const here = (code) => code.replaceAll('http://127.0.0.1:8570', daemon.origin)
		.replaceAll('https://models.example', `http://127.0.0.1:${elsewhere.address().port}`);

	for (const { line, code, statuses } of examples) {
		test(`line ${line}: ${code.split('\n')[0]}`, async () => {
			const log = path.join(dir, '.statuses');
			fs.rmSync(log, { force: true });
			const env = { ...process.env, STATUSES: log, KEPT: path.join(dir, '.kept') };
			const script = `${PRELUDE}\n${here(code)}\ndeclare -p ID ETAG TOKEN SHA 2>/dev/null >"$KEPT" || true\n`;
			const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: dir, env, timeout: SHELL_MS });
			assert.deepEqual(fs.readFileSync(log, 'utf8').trim().split('\n'), statuses, `${code}\n${stdout}\n${stderr}`);
		});
	}

	test('are all that it has', () => {
		assert.ok(examples.length >= 13, `${examples.length} examples`);
		assert.deepEqual(blocksOf(DOCUMENT).filter(({ lang, words }) => lang === 'sh' && !words.includes('status')), []);
	});
});
