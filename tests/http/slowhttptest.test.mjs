// SPDX-License-Identifier: Apache-2.0
// slowhttptest, as others attack with it: heads, bodies and readers that drip, and piles of ranges. Who behaves
// loads a model all the while, on a new connection each time, and the attackers are cut.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { before, describe, test } from 'node:test';

import { useDaemon, within } from '../lib/daemon.mjs';
import { get, published } from '../lib/http.mjs';
import { addGraph, denseModel } from '../lib/models.mjs';
import { environment, findPrograms, program } from '../lib/packages.mjs';

const SECONDS = Number(process.env.SLOW_SECONDS ?? 15); // of each attack
const ATTACKERS = 300;
const CUT_AFTER = '2s';
const LOADS = 10; // at least, meanwhile

const impatient = { 'http.head_timeout': CUT_AFTER, 'http.min_rate_time': CUT_AFTER, 'http.connections_per_address': 0 };

// Runs it to its end. Gives whether it found the service available each time it looked, and whether the end
// came since all its connections were closed.
async function attack(daemon, target, ...words) {
	const child = spawn(program('slowhttptest'), ['-c', ATTACKERS, '-r', ATTACKERS, '-l', SECONDS, '-i', 1, '-p', 60,
		'-u', daemon.url(target), ...words], { env: { ...process.env, ...environment() }, stdio: ['ignore', 'pipe', 'inherit'] });
	let said = '';
	child.stdout.on('data', (bytes) => { said += bytes; });
	await within('slowhttptest to end', new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', resolve);
	}), 1000 * (SECONDS + 120));
	// eslint-disable-next-line no-control-regex
	const lines = said.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
	const looks = [...lines.matchAll(/service available:\s+(YES|NO)/g)].map(([, word]) => word);
	assert.ok(looks.length > 0, said);
	return { looks, allClosed: /No open connections left/.test(lines) };
}

describe('slowhttptest', { skip: process.env.MODELD_WRAPPER && 'the daemon is made slow here' }, () => {
	const model = denseModel({ inputs: 64, units: 64 });
	const large = addGraph({ size: 2 << 20 });

	before(() => findPrograms('slowhttptest'));

	for (const [what, connections, words] of [
		// Fewer than attackers: heads that drip make room.
		['slow heads', ATTACKERS / 3, ['-H']],
		['slow bodies', 2 * ATTACKERS, ['-B', '-s', 1_000_000, '-x', 10]],
		['slow readers', 2 * ATTACKERS, ['-X', '-w', 1, '-y', 2, '-n', 1, '-z', 1, '-k', 1]],
		['piles of ranges', 2 * ATTACKERS, ['-R', '-t', 'HEAD', '-a', 1, '-b', 3000]],
	]) {
		describe(what, () => {
			const daemon = useDaemon({ set: { ...impatient, 'http.connections': connections } });

			test(`leave the others their models, and are cut`, async () => {
				await published(daemon, 'good', model);
				await published(daemon, 'large', large);
				const atRest = daemon.descriptors();
				let over = false;
				let loads = 0;
				let most = 0;
				let cut = false;
				const attacking = attack(daemon, `/models/large@1/${large.files[1].path}`, ...words).finally(() => { over = true; });
				while (!over || loads < LOADS) {
					for (const { path, bytes } of model.files) {
						const answered = await get(daemon, `/models/good@1/${path}`);
						assert.equal(answered.status, 200);
						assert.ok(answered.body.equals(Buffer.from(bytes)));
					}
					loads++;
					most = Math.max(most, daemon.descriptors());
					cut ||= !over && most >= atRest + 100 && daemon.descriptors() < atRest + 30;
				}
				const { looks, allClosed } = await attacking;
				assert.ok(!looks.includes('NO'), looks.join(' '));
				// Who reads nearly nothing does not notice.
				assert.ok(allClosed || cut, `of ${most} descriptors ${daemon.descriptors()} are open`);
			});
		});
	}
});
