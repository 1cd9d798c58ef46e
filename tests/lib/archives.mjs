// SPDX-License-Identifier: Apache-2.0
// Models as the archives that people's tools make.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { have, scratchDir } from './daemon.mjs';

const run = promisify(execFile);
const ARCHIVE_MAX = 64 << 20;

// The files of a model in a directory of their own, or in one below it.
export function written(model, folder = '.') {
	const dir = scratchDir('archive');
	for (const { path: file, bytes } of model.files) {
		const full = path.join(dir, folder, file);
		fs.mkdirSync(path.dirname(full), { recursive: true });
		fs.writeFileSync(full, bytes);
	}
	return dir;
}

export const TAR = 'application/x-tar';
export const TAR_GZ = 'application/gzip';
export const ZIP = 'application/zip';

// name: {type, words}; the words are a command that writes the archive of `what` to its output.
export const makers = {
	'tar': { type: TAR, words: (what) => ['tar', '-cf', '-', what] },
	'tar --format=ustar': { type: TAR, words: (what) => ['tar', '--format=ustar', '-cf', '-', what] },
	'tar --format=posix': { type: TAR, words: (what) => ['tar', '--format=posix', '-cf', '-', what] },
	'tar -z': { type: TAR_GZ, words: (what) => ['tar', '-czf', '-', what] },
	'bsdtar': { type: TAR, words: (what) => ['bsdtar', '-cf', '-', what] },
	'bsdtar -z': { type: TAR_GZ, words: (what) => ['bsdtar', '-czf', '-', what] },
	'bsdtar --format=zip': { type: ZIP, words: (what) => ['bsdtar', '--format=zip', '-cf', '-', what] },
	'zip': { type: ZIP, words: (what) => ['zip', '-qr', '-', what] },
	'zip -0': { type: ZIP, words: (what) => ['zip', '-q0r', '-', what] },
};

export const noMaker = (name) =>
	!have(makers[name].words('')[0]) && `${makers[name].words('')[0]} is not installed`;

export async function archived(name, dir, what = '.') {
	const [program, ...words] = makers[name].words(what);
	const { stdout } = await run(program, words,
		{ cwd: dir, encoding: 'buffer', maxBuffer: ARCHIVE_MAX });
	return { headers: { 'content-type': makers[name].type }, body: stdout };
}
