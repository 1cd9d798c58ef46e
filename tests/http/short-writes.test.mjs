// SPDX-License-Identifier: Apache-2.0
// The system takes half of every write to a file, as it may: everything is stored whole all the same.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { archived, written } from '../lib/archives.mjs';
import { compiled, noCompiler } from '../lib/cc.mjs';
import { NO_FORMS, startDaemon } from '../lib/daemon.mjs';
import { post } from '../lib/http.mjs';
import { assertExact, Writer } from '../lib/writer.mjs';

// Put before libc: write and pwrite of regular files.
const HALF = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/types.h>

static size_t less(int fd, size_t n)
{
	struct stat st;

	return n > 1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t (*next)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");

	return next(fd, p, less(fd, n));
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	ssize_t (*next)(int, const void *, size_t, off_t) =
		(ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");

	return next(fd, p, less(fd, n), at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}
`;

const skip = noCompiler || (process.env.MODELD_WRAPPER && 'a wrapper would take the library for its own') ||
	(!process.env.MODELD_PLAIN && 'a sanitizer has to come before all libraries: MODELD_PLAIN is not set');

test('writes that are cut short are gone on with', { skip }, async (t) => {
	const library = compiled(HALF, '-shared', '-fPIC');
	const daemon = await startDaemon(t, { binary: process.env.MODELD_PLAIN, set: NO_FORMS, env: { LD_PRELOAD: library } });
	assert.ok(fs.readFileSync(`/proc/${daemon.pid}/maps`, 'utf8').includes(library));
	const writer = new Writer('m', 1);
	const how = async (one, name, model) => post(one, `/models/${name}`, await archived('tar', written(model)));
	await writer.apply(daemon, { kind: 'publish', model: writer.newModel({ companion: 300_000 }) });
	await writer.apply(daemon, { kind: 'publish', model: writer.newModel({ companion: 300_000 }), how });
	const upload = await writer.stage(daemon, [30_001, 170_003, 400_000]);
	await writer.apply(daemon, { kind: 'commit', upload });
	for (let i = 0; i < 30; i++) { // more than the catalog keeps in its log
		await writer.apply(daemon, { kind: 'publish', model: writer.newModel({ shards: 40 }) });
	}
	await writer.apply(daemon, { kind: 'delete', version: 1 });
	await writer.check(daemon, { all: true });
	await assertExact(daemon, [writer]);
	await daemon.stop();
});
