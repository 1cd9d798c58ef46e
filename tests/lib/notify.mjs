// SPDX-License-Identifier: Apache-2.0
// A service manager, as far as sd_notify(3) goes: a socket that keeps what it is told, in order, and when.

import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { once } from 'node:events';

import { compiled } from './cc.mjs';
import { scratchDir, until } from './daemon.mjs';

// Node has no datagram sockets of this kind. Each message becomes a line, its own newlines "\x1e".
const RELAY = `
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	static char text[65536];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, argv[1]);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return 1;
	puts("BOUND");
	fflush(stdout);
	while ((n = recv(fd, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = 0;
		for (char *c = text; (c = strchr(c, '\\n')); )
			*c = 0x1e;
		puts(text);
		fflush(stdout);
	}
	return 1;
}
`;

// The daemon under test says so, unlike one without libsystemd.
export const noNotify = () =>
	(/systemd=yes/.test(spawnSync(process.env.MODELD, ['--version'], { encoding: 'utf8' }).stdout) ? false : 'built without libsystemd');

const parse = (line) => new Map(line.split('\x1e').map((part) => {
	const equals = part.indexOf('=');
	return [part.slice(0, equals), part.slice(equals + 1)];
}));

export class Manager {
	constructor() {
		this.socket = path.join(scratchDir('notify'), 'socket');
		this.messages = []; // {at, fields}, oldest first
		this.text = '';
	}

	async start() {
		this.child = spawn(compiled(RELAY), [this.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
		this.child.stdout.on('data', (bytes) => this.#take(String(bytes)));
		await until('the notify socket', () => this.bound);
		return this;
	}

	#take(text) {
		const lines = (this.text + text).split('\n');
		this.text = lines.pop();
		for (const line of lines) {
			if (line === 'BOUND') {
				this.bound = true;
			} else {
				this.messages.push({ at: Date.now(), fields: parse(line) });
			}
		}
	}

	// What changes the state of a service, in order, without pings and requests for time.
	get states() {
		return this.messages.flatMap(({ fields }) => ['READY', 'RELOADING', 'STOPPING'].filter((name) => fields.get(name) === '1'));
	}

	get pings() {
		return this.messages.filter(({ fields }) => fields.has('WATCHDOG')).length;
	}

	get status() {
		return this.messages.findLast(({ fields }) => fields.has('STATUS'))?.fields.get('STATUS');
	}

	// The values of a field, in order.
	values(name) {
		return this.messages.filter(({ fields }) => fields.has(name)).map(({ fields }) => fields.get(name));
	}

	async stop() {
		const closed = once(this.child, 'close');
		this.child.kill('SIGKILL');
		await closed;
	}
}

// For one test.
export async function startManager(t) {
	const manager = new Manager();
	t.after(() => manager.stop());
	return manager.start();
}
