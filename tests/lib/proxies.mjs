// SPDX-License-Identifier: Apache-2.0
// Debian's nginx and caddy as reverse proxies, with the samples of conf/ and another host, other ports and
// another certificate.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { scratchDir, until, within } from './daemon.mjs';
import { environment, findPrograms, program } from './packages.mjs';
import { connects, freePort } from './ports.mjs';

const TRIES = 5;
const conf = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../conf');

// The sample, with each of these replaced; all have to be there.
function sample(name, replacements) {
	let text = fs.readFileSync(path.join(conf, name), 'utf8');
	for (const [from, to] of replacements) {
		assert.ok(text.includes(from), `${name} has no ${from}`);
		text = text.replaceAll(from, to);
	}
	return text;
}

const nginxConfig = (home, port, upstream, { certFile, keyFile }) => `
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
master_process off;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path ${home}/body;
	proxy_temp_path ${home}/proxy;
	fastcgi_temp_path ${home}/fastcgi;
	uwsgi_temp_path ${home}/uwsgi;
	scgi_temp_path ${home}/scgi;
	${sample('nginx.conf', [['listen 443 ', `listen 127.0.0.1:${port} `], ['server_name models.example', 'server_name localhost'],
		['127.0.0.1:8570', `127.0.0.1:${upstream}`], ['/etc/ssl/models.example.pem', certFile],
		['/etc/ssl/private/models.example.key', keyFile]])}
}
`;

const caddyConfig = (home, port, upstream, { certFile, keyFile }) => sample('Caddyfile', [
	['auto_https disable_redirects', `auto_https disable_redirects\n\tadmin off\n\tskip_install_trust\n\tstorage file_system ${home}/data\n`],
	['models.example {', `https://localhost:${port} {\n\ttls ${certFile} ${keyFile}\n`], ['127.0.0.1:8570', `127.0.0.1:${upstream}`]]);

const kinds = {
	nginx: { file: 'nginx.conf', config: nginxConfig,
		words: (home, file) => ['-p', home, '-e', path.join(home, 'error.log'), '-c', file] },
	caddy: { file: 'Caddyfile', config: caddyConfig, words: (home, file) => ['run', '--config', file, '--adapter', 'caddyfile'] },
};
export const proxyKinds = Object.keys(kinds);

export class Proxy {
	// `certificate` as Authority.issue('localhost') gives it.
	constructor(kind, certificate) {
		this.kind = kind;
		this.certificate = certificate;
		this.home = scratchDir(kind);
		this.said = '';
	}

	async start(upstream) {
		await findPrograms(this.kind);
		for (let tries = 0; !await this.#begin(upstream); tries++) {
			assert.ok(tries < TRIES, `${this.kind} does not start: ${this.errors()}`);
		}
		this.origin = `https://localhost:${this.port}`;
		return this;
	}

	// False when somebody else took the port meanwhile.
	async #begin(upstream) {
		const { file, config, words } = kinds[this.kind];
		const at = path.join(this.home, file);
		this.port = await freePort();
		fs.writeFileSync(at, config(this.home, this.port, upstream, this.certificate));
		this.child = spawn(program(this.kind), words(this.home, at),
			{ env: { ...process.env, ...environment(), HOME: this.home }, stdio: ['ignore', 'ignore', 'pipe'] });
		this.child.stderr.on('data', (bytes) => (this.said += bytes));
		let ended = false;
		this.closed = new Promise((resolve) => this.child.on('error', resolve).on('close', resolve));
		this.closed.then(() => { ended = true; });
		return await until(`${this.kind} to listen or to end`, async () => ended || connects(this.port)) && !ended;
	}

	errors() {
		const file = path.join(this.home, 'error.log');
		return this.said + (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
	}

	async stop() {
		this.child?.kill('SIGTERM');
		await (this.closed && within(`${this.kind} to end`, this.closed));
	}
}
