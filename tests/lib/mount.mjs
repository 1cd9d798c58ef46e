// SPDX-License-Identifier: Apache-2.0
// File systems of a test's own. Mounting takes root: as another user the test file runs itself again as
// root of a user namespace.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';

import { scratchDir, until } from './daemon.mjs';

const mounts = new Set();

function run(...words) {
	const { status, stderr, error } = spawnSync(words[0], words.slice(1), { encoding: 'utf8' });
	return status === 0 ? '' : `${words.join(' ')}: ${error?.message ?? stderr.trim()}`;
}

export function must(...words) {
	const wrong = run(...words);
	assert.equal(wrong, '', wrong);
}

function unmount(dir) {
	run('umount', '-l', dir);
	mounts.delete(dir);
}

process.on('exit', () => [...mounts].forEach(unmount));

// A directory that is a mount point of what `mount` is told; gone with the test.
export function mounted(t, ...words) {
	const dir = scratchDir('mount');
	must('mount', ...words, dir);
	mounts.add(dir);
	t.after(() => unmount(dir));
	return dir;
}

export const tmpfs = (t, options) => mounted(t, '-t', 'tmpfs', '-o', options, 'modeld-test');

// A file system on a file: {dir, again}, `again` waits until nobody uses it, unmounts it and mounts it anew,
// journal replayed. Null where loop devices are not to be had.
export function loop(t, megabytes, type, options = 'defaults') {
	const dir = scratchDir('mount');
	const image = path.join(scratchDir('image'), 'image');
	fs.writeFileSync(image, '');
	fs.truncateSync(image, megabytes << 20);
	const mount = () => run('mount', '-t', type, '-o', `loop,${options}`, image, dir);
	if (run(`mkfs.${type}`, '-q', image) || mount()) {
		return null;
	}
	mounts.add(dir);
	t.after(() => unmount(dir));
	// Where another mount namespace has a copy of the mount, as of a service that was started meanwhile, what
	// is unmounted here lives on there, and would come back as it is: dead. It ends with its loop device.
	const isGone = () => {
		const { status, stdout } = spawnSync('losetup', ['--noheadings', '--associated', image], { encoding: 'utf8' });
		return status === 0 && stdout.trim() === '';
	};
	const again = async () => {
		await until('the file system to be free', () => !run('umount', dir));
		await until('its loop device to be free', isGone);
		assert.equal(mount(), '');
	};
	return { dir, again };
}

// Why nothing can be mounted here; '' when it can.
export function cannotMount() {
	const dir = scratchDir('mount');
	const wrong = run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'modeld-test', dir);
	if (!wrong) {
		run('umount', dir);
	}
	return wrong;
}

// True when this process may mount. Otherwise a test stands for the whole file, which passes when the file
// passes in a user namespace, and is skipped when there are none.
export function mayMount(url) {
	const wrong = cannotMount();
	if (!wrong) {
		return true;
	}
	const inside = ['unshare', '--map-root-user', '--mount'];
	const none = process.env.MODELD_TEST_INSIDE ? wrong : run(...inside, 'true');
	test('on file systems of its own', { skip: none !== '' && `nothing can be mounted: ${wrong}; ${none}` }, () => {
		const env = { ...process.env, MODELD_TEST_INSIDE: '1' };
		delete env.NODE_TEST_CONTEXT;
		const { status, stdout } = spawnSync(inside[0], [...inside.slice(1), process.execPath, '--test', new URL(url).pathname],
			{ env, encoding: 'utf8' });
		assert.equal(status, 0, stdout);
	});
	return false;
}

after(() => [...mounts].forEach(unmount));
