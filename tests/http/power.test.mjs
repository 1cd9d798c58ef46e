// SPDX-License-Identifier: Apache-2.0
// The power is cut under publishes, uploads file by file, label moves, deletions and collections: the file
// system is shut down without another write to its disk, and comes back as its journal makes it. What was
// acknowledged is there and whole. The options are those under which a missing sync shows: data is written
// late, not before the names that need it, and nothing is flushed by itself.
//
// Runs when POWER_ROUNDS says how often (`./dev test --long` does); POWER_SEED and POWER_FS (ext4, xfs)
// choose the moments and the file system. Needs root, loop devices and a C compiler.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';

import { compiled, noCompiler } from '../lib/cc.mjs';
import { asService, Daemon, until } from '../lib/daemon.mjs';
import { loop } from '../lib/mount.mjs';
import { random } from '../lib/models.mjs';
import { assertExact, assertSound, modeld, Writer } from '../lib/writer.mjs';

const ROUNDS = Number(process.env.POWER_ROUNDS ?? 0);
const SEED = Number(process.env.POWER_SEED ?? 1);
const TYPE = process.env.POWER_FS ?? 'ext4';
const OPTIONS = { ext4: 'noauto_da_alloc,data=writeback,commit=300', xfs: 'defaults' };
const MEGABYTES = 512;
const WRITERS = 4;
const LATEST_CUT_MS = 400;

// FS_IOC_SHUTDOWN with "no flush": ioctl(2) has no command of its own.
const CUT = `#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
int main(int argc, char **argv)
{
	uint32_t no_flush = 2;
	int fd = open(argv[argc - 1], O_RDONLY | O_DIRECTORY);
	return fd < 0 || ioctl(fd, _IOR('X', 125, uint32_t), &no_flush) < 0;
}
`;

const skip = (ROUNDS === 0 && 'POWER_ROUNDS is not set') || (process.getuid() !== 0 && 'it takes root') ||
	noCompiler || (process.env.MODELD_WRAPPER && 'a wrapper does not die with its disk');

async function collect(power) {
	while (power.on) {
		await modeld(power.daemon.store, 'gc', '--grace', '0');
	}
}

describe('a power cut', { skip }, () => {
	test(`on ${TYPE} at ${ROUNDS} moments loses nothing that was acknowledged`, async (t) => {
		const cut = compiled(CUT);
		const disk = loop(t, MEGABYTES, TYPE, OPTIONS[TYPE]);
		if (!disk) {
			t.skip(`no ${TYPE} on a loop device can be had`);
			return;
		}
		const store = path.join(disk.dir, 's');
		const moments = random(SEED);
		const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(`team/m${i}`, SEED * 10 + i));
		const start = () => {
			const daemon = new Daemon({ store, wrapper: asService, set: { 'store.min_free': 0 } });
			t.after(() => daemon.destroy());
			return daemon.start();
		};
		const acknowledged = () => writers.reduce((n, writer) => n + writer.acknowledged, 0);
		for (let round = 0; round < ROUNDS; round++) {
			const last = round === ROUNDS - 1;
			const power = { on: true, daemon: await start() };
			const before = acknowledged();
			const work = [...writers.map((writer) => writer.write(power.daemon)), collect(power)];
			await until('an acknowledged change', () => acknowledged() > before);
			await new Promise((resolve) => { setTimeout(resolve, moments() * LATEST_CUT_MS); });
			// The cut takes a moment, in which the kernel may call durable what it will lose.
			power.on = false;
			writers.forEach((writer) => { writer.deaf = true; });
			assert.equal(spawnSync(cut, [disk.dir]).status, 0);
			await power.daemon.kill();
			await Promise.all(work);
			await disk.again();
			writers.forEach((writer) => { writer.deaf = false; });
			const second = await start();
			for (const writer of writers) {
				await writer.check(second, { all: last });
			}
			await assertSound(store);
			await assertExact(second, writers);
			await (last ? Promise.all(writers.map((writer) => writer.finish(second))) : null);
			await second.stop();
		}
		t.diagnostic(`${ROUNDS} cuts, ${acknowledged()} acknowledged changes`);
	});
});
