// SPDX-License-Identifier: Apache-2.0
// Programs of Debian packages that are not installed: unpacked in build/peers, once, with the libraries that
// they miss. Nothing is installed, since installing nginx would start a service of the system; and it takes
// no root.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const unpacked = path.join(top, 'build/peers');
const packages = { nginx: ['nginx', 'libnginx-mod-http-brotli-static'], h2o: ['h2o'],
	lighttpd: ['lighttpd', 'lighttpd-mod-deflate'], aria2c: ['aria2'], caddy: ['caddy'],
	promtool: ['prometheus'], slowhttptest: ['slowhttptest'] };
export const known = Object.keys(packages);

export const find = (...paths) => ['', unpacked].flatMap((root) => paths.map((name) => root + name))
	.find((name) => fs.existsSync(name));
export const program = (name) => find(`/usr/sbin/${name}`, `/usr/bin/${name}`);

// Folders of unpacked libraries, for programs that come from there.
function libraries() {
	return ['usr/lib', 'lib'].map((name) => path.join(unpacked, name)).flatMap((folder) => {
		const below = fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : [];
		return below.filter((entry) => entry.isDirectory() && /-linux-gnu/.test(entry.name))
			.map((entry) => path.join(folder, entry.name));
	});
}

export const environment = () => ({ LD_LIBRARY_PATH: libraries().join(':') });

const ownLists = () => ['lists', 'cache', 'cache/archives'].map((name) => path.join(unpacked, name));

function aptOptions(own) {
	const [lists, cache] = ownLists();
	return own ? ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${cache}`] : [];
}

async function fetchPackages(names, folder, own) {
	const apt = async (...words) => (await run('apt-get', [...aptOptions(own), ...words],
		{ cwd: folder, maxBuffer: 1 << 26 })).stdout;
	if (own) {
		ownLists().forEach((dir) => fs.mkdirSync(path.join(dir, 'partial'), { recursive: true }));
		await apt('update', '-q');
	}
	const plan = await apt('-s', 'install', '--no-install-recommends', ...names);
	// "Inst NAME [OLD] (NEW ...)" would replace what is there, and that will do.
	const missing = plan.split('\n').map((line) => /^Inst (\S+) \(/.exec(line)?.[1]).filter(Boolean);
	console.error(`unpacking in build/peers: ${missing.join(' ')}`);
	await apt('download', '-q', ...missing);
}

async function unpack(name) {
	const folder = fs.mkdtempSync(path.join(unpacked, 'packages-'));
	try {
		// The system's lists may be missing or old, and are not ours to renew.
		await fetchPackages(packages[name], folder, false).catch(() => fetchPackages(packages[name], folder, true));
		for (const file of fs.readdirSync(folder).filter((one) => one.endsWith('.deb'))) {
			await run('dpkg-deb', ['-x', path.join(folder, file), unpacked]);
		}
	} catch (error) {
		throw new Error(`${name} is not to be had: ${error.message}`);
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
	if (!program(name)) {
		throw new Error(`${name} is not in Debian's package of that name`);
	}
}

// Fails when one of them can neither be found nor be unpacked.
export async function findPrograms(...names) {
	for (const name of names.filter((one) => !program(one))) {
		fs.mkdirSync(unpacked, { recursive: true });
		await unpack(name);
	}
}

// `node packages.mjs NAME...` fetches them beforehand, for tests that run beside each other.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
	await findPrograms(...process.argv.slice(2));
}
