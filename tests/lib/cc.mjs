// SPDX-License-Identifier: Apache-2.0
// Small C programs for what no command does.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { have, scratchDir } from './daemon.mjs';

export const noCompiler = !have('cc') && 'there is no C compiler';

// The path of what was made of the source; with `-shared` among the words a library.
export function compiled(source, ...words) {
	const dir = scratchDir('cc');
	const input = path.join(dir, 'source.c');
	const output = path.join(dir, 'made.so');
	fs.writeFileSync(input, source);
	const { status, stderr } = spawnSync('cc', [...words, '-o', output, input], { encoding: 'utf8' });
	if (status !== 0) {
		throw new Error(stderr);
	}
	return output;
}
