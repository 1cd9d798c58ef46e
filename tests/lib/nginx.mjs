// SPDX-License-Identifier: Apache-2.0
// Debian's nginx with plain files, as a host that models are fetched from: by HTTP/1.1, or over TLS also by
// HTTP/2. Its access log tells what it sent.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

import { scratchDir, until, within } from './daemon.mjs';
import { environment, findPrograms, program } from './packages.mjs';
import { connects, freePort } from './ports.mjs';

const TRIES = 5;
const OURS = '/is-all-written-';

const config = ({ home, root, port, secure, more, outside }) => `
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
master_process off;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 256; }
http {
	types { application/json json; }
	default_type application/octet-stream;
	log_format told escape=json '{"target":"$request_uri","status":$status,"bytes":$body_bytes_sent,"protocol":"$server_protocol",'
		'"connection":$connection,"range":"$http_range","coding":"$http_accept_encoding","passed":"$upstream_addr"}';
	access_log ${home}/access.log told;
	client_body_temp_path ${home}/body;
	proxy_temp_path ${home}/proxy;
	fastcgi_temp_path ${home}/fastcgi;
	uwsgi_temp_path ${home}/uwsgi;
	scgi_temp_path ${home}/scgi;
	${outside}
	server {
		listen 127.0.0.1:${port}${secure ? ' ssl http2' : ''};
		${secure ? `ssl_certificate ${secure.certFile}; ssl_certificate_key ${secure.keyFile};` : ''}
		root ${root};
		${more}
	}
}
`;

export class Nginx {
	constructor({ root, secure, more = '', outside = '' }) {
		this.home = scratchDir('nginx');
		this.settings = { home: this.home, root: root ?? this.home, secure, more, outside };
		this.scheme = secure ? 'https' : 'http';
		this.asked = 0; // by us
	}

	async start() {
		await findPrograms('nginx');
		for (let tries = 0; !await this.#begin(); tries++) {
			if (tries === TRIES) {
				throw new Error(`nginx does not start: ${this.errors()}`);
			}
		}
		return this;
	}

	// False when somebody else took the port meanwhile.
	async #begin() {
		const file = path.join(this.home, 'nginx.conf');
		this.port = await freePort();
		fs.writeFileSync(file, config({ ...this.settings, port: this.port }));
		const words = ['-p', this.home, '-e', path.join(this.home, 'error.log'), '-c', file];
		this.child = spawn(program('nginx'), words, { env: { ...process.env, ...environment() }, stdio: 'ignore' });
		let ended = false;
		this.closed = new Promise((resolve) => {
			this.child.on('error', resolve);
			this.child.on('close', resolve);
		});
		this.closed.then(() => { ended = true; });
		return await until('nginx to listen or to end', async () => ended || connects(this.port)) && !ended;
	}

	errors() {
		const file = path.join(this.home, 'error.log');
		return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
	}

	url(target) {
		return `${this.scheme}://127.0.0.1:${this.port}${target}`;
	}

	// What it was asked for: [{target, status, bytes, protocol, connection, range, coding, passed}]. A request is
	// written down when its answer has been sent; `passed` is the server that it was passed to, if any.
	requests() {
		return this.#lines().filter(({ target }) => !target.startsWith(OURS));
	}

	// The same once all is written down that was answered by now: its one process writes in order.
	async told() {
		const target = `${OURS}${++this.asked}`;
		await new Promise((resolve, reject) => {
			const { get } = this.settings.secure ? https : http;
			get(this.url(target), { agent: false, rejectUnauthorized: false }, (answer) => answer.resume().on('end', resolve))
				.on('error', reject);
		});
		await until('its line', () => this.#lines().some((line) => line.target === target));
		return this.requests();
	}

	#lines() {
		const lines = fs.readFileSync(path.join(this.home, 'access.log'), 'utf8').split('\n').slice(0, -1);
		return lines.map((line) => JSON.parse(line));
	}

	async stop() {
		this.child?.kill('SIGTERM');
		await (this.closed && within('nginx to end', this.closed));
	}
}

// For one test. `more` are lines for its server { }, `outside` for its http { }.
export async function startNginx(t, settings) {
	const nginx = new Nginx(settings);
	t.after(() => nginx.stop());
	return nginx.start();
}
