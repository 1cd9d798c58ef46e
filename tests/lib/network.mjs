// SPDX-License-Identifier: Apache-2.0
// A network of a test file's own, where this machine has every address there is, of IPv4 and of IPv6, and
// names are what the file's own name server says (dns.mjs, at 127.0.0.1:53). So a connection to an address
// that must not be reached arrives at somebody who sees it. The file runs itself again in namespaces of
// its own; nothing outside is changed or reached.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { scratchDir } from './daemon.mjs';

const FILES = {
	'resolv.conf': 'nameserver 127.0.0.1\noptions attempts:2 timeout:5\n',
	'nsswitch.conf': 'hosts: files dns\n',
	'hosts': '127.0.0.1 localhost\n::1 localhost ip6-localhost\n',
};
const SETUP = `set -e
dir=$1
shift
for file in ${Object.keys(FILES).join(' ')}; do
	if [ -e /etc/$file ]; then mount --bind "$dir/$file" /etc/$file; fi
done
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
exec "$@"`;

function inside(...words) {
	const dir = scratchDir('network');
	for (const [name, text] of Object.entries(FILES)) {
		fs.writeFileSync(path.join(dir, name), text);
	}
	const user = process.getuid() === 0 ? [] : ['--map-root-user'];
	const env = { ...process.env, MODELD_TEST_NETWORK: '1' };
	delete env.NODE_TEST_CONTEXT;
	return spawnSync('unshare', [...user, '--mount', '--net', 'sh', '-c', SETUP, 'sh', dir, ...words],
		{ env, encoding: 'utf8', maxBuffer: 1 << 26 });
}

// True in such a network. Outside, a test stands for the whole file, which passes when the file passes
// inside, and is skipped where there are no namespaces.
export function inOwnNetwork(url) {
	if (process.env.MODELD_TEST_NETWORK) {
		return true;
	}
	const tried = inside('true');
	const none = tried.status !== 0 && `no network of its own: ${tried.error?.message ?? tried.stderr.trim()}`;
	test('in a network of its own', { skip: none }, (t) => {
		const { status, stdout, stderr } = inside(process.execPath, '--test', '--test-reporter=spec', new URL(url).pathname);
		assert.equal(status, 0, stdout + stderr);
		t.diagnostic(stdout.trim());
	});
	return false;
}

// Listens on some ports at every address, and remembers which of them were connected to; but for those that
// it was told to hand to an origin.
export class Canary {
	#servers = [];
	#sockets = new Set();
	#origins = new Map();

	constructor() {
		this.reached = []; // "address:port"
	}

	async listen(ports, hosts = ['0.0.0.0', '::']) {
		for (const port of ports) {
			for (const host of hosts) {
				await this.#listen(port, host);
			}
		}
		return this;
	}

	#listen(port, host) {
		const server = net.createServer((socket) => {
			const origin = this.#origins.get(socket.localAddress);
			if (origin) {
				origin.server.emit('connection', socket);
				return;
			}
			this.reached.push(`${socket.localAddress}:${socket.localPort}`);
			this.#sockets.add(socket);
			socket.on('close', () => this.#sockets.delete(socket));
			socket.resume();
			socket.on('error', () => {});
			socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
		});
		this.#servers.push(server);
		return new Promise((resolve, reject) => {
			server.once('error', reject);
			server.listen({ port, host, ipv6Only: true }, () => resolve(server.address().port));
		});
	}

	// What comes for an address goes to that origin, as long as the test runs.
	hand(t, address, origin) {
		this.#origins.set(address, origin);
		t.after(() => this.#origins.delete(address));
	}

	// On a free port of each host, the same for all where that is possible.
	async listenAnywhere(hosts = ['127.0.0.1']) {
		this.port = await this.#listen(0, hosts[0]);
		for (const host of hosts.slice(1)) {
			await this.#listen(this.port, host);
		}
		return this;
	}

	// Whoever is still connected is not waited for.
	stop() {
		this.#sockets.forEach((socket) => socket.destroy());
		return Promise.all(this.#servers.map((server) => new Promise((resolve) => { server.close(resolve); })));
	}
}
