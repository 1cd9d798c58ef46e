// SPDX-License-Identifier: Apache-2.0
// The servers that are measured: modeld, and Debian's nginx, h2o and lighttpd, each configured as its own
// manual says for static files, without an access log, with the response headers that modeld sends.
// What is not installed is unpacked (packages.mjs).

import fs from 'node:fs';
import path from 'node:path';

import { environment, find, findPrograms, known, program } from '../lib/packages.mjs';
import {
	answers, delay, fail, family, freePort, modeldProgram, output, placed, retire, start, stop, top, work,
} from './tools.mjs';

// Room for 10,000 connections and what is beside them, where a process may have so many descriptors.
const [, allowed] = /^Max open files\s+\S+\s+(\S+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'));
export const DESCRIPTORS = Math.min(20000, allowed === 'unlimited' ? Infinity : Number(allowed));
const CONNECTIONS = Math.floor(0.8 * DESCRIPTORS);

export async function findPeers(names) {
	await findPrograms(...names.filter((name) => known.includes(name))).catch((error) => fail(error.message));
}

// ---- nginx ----

const quoted = (text) => `"${text.replace(/[\\"]/g, '\\$&')}"`;

function nginxConfig({ home, port, root, workers, headers, dav }) {
	const brotli = find('/usr/lib/nginx/modules/ngx_http_brotli_static_module.so');
	const fields = Object.entries(headers).map(([name, value]) => `add_header ${name} ${quoted(value)};`);
	const put = dav ? 'location /upload/ { dav_methods PUT; create_full_put_path on; }' : '';
	return `${brotli ? `load_module ${brotli};` : ''}
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes ${workers};
worker_rlimit_nofile ${DESCRIPTORS};
daemon off;
master_process ${workers > 1 ? 'on' : 'off'};
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections ${CONNECTIONS}; }
http {
	types { application/json json; }
	default_type application/octet-stream;
	server_tokens off;
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	keepalive_timeout 600s;
	open_file_cache max=10000 inactive=600s;
	open_file_cache_valid 600s;
	gzip_static on;
	gzip_vary on;
	${brotli ? 'brotli_static on;' : ''}
	client_max_body_size 0;
	client_body_buffer_size 1m;
	client_body_temp_path ${home}/body;
	proxy_temp_path ${home}/proxy;
	fastcgi_temp_path ${home}/fastcgi;
	uwsgi_temp_path ${home}/uwsgi;
	scgi_temp_path ${home}/scgi;
	server {
		listen 127.0.0.1:${port} backlog=4096${workers > 1 ? ' reuseport' : ''};
		root ${root};
		${fields.join('\n    ')}
		${put}
	}
}
`;
}

// ---- h2o ----

function h2oConfig({ home, port, root, workers, headers }) {
	const fields = Object.entries(headers).map(([name, value]) => `header.set: ${quoted(`${name}: ${value}`)}`);
	return `${process.getuid() === 0 ? 'user: root' : ''}
num-threads: ${workers}
max-connections: ${CONNECTIONS}
http1-request-timeout: 600
send-server-name: OFF
error-log: ${home}/error.log
pid-file: ${home}/pid
file.mime.settypes:
  application/json: .json
  application/octet-stream: .bin
file.send-compressed: ON
${fields.join('\n')}
listen:
  host: 127.0.0.1
  port: ${port}
hosts:
  default:
    paths:
      /:
        file.dir: ${root}
`;
}

// ---- lighttpd ----

function lighttpdConfig({ home, port, root, workers, headers }) {
	const fields = Object.entries(headers).map(([name, value]) => `${quoted(name)} => ${quoted(value)}`);
	return `server.document-root = ${quoted(root)}
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ("mod_setenv", "mod_deflate", "mod_staticfile")
server.compat-module-load = "disable"
server.errorlog = "${home}/error.log"
server.pid-file = "${home}/pid"
server.tag = ""
server.event-handler = "linux-sysepoll"
server.network-backend = "sendfile"
server.stat-cache-engine = "simple"
server.max-worker = ${workers > 1 ? workers : 0}
server.max-fds = ${DESCRIPTORS}
server.max-connections = ${CONNECTIONS}
server.listen-backlog = 4096
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
mimetype.assign = (".json" => "application/json", "" => "application/octet-stream")
deflate.cache-dir = "${home}/deflate"
deflate.mimetypes = ("application/json")
deflate.allowed-encodings = ("br", "gzip")
setenv.set-response-header = (${fields.join(', ')})
`;
}

// ---- starting ----

const ownHeaders = new Set(['date', 'server', 'content-length', 'content-type', 'content-range',
	'content-encoding', 'content-location', 'last-modified', 'etag', 'accept-ranges', 'connection', 'keep-alive',
	'vary']);

// What a peer has to be told to send, for as many fields as modeld has.
export function headersToAdd(answer) {
	return Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !ownHeaders.has(name)));
}

export const peerNames = ['nginx', 'h2o', 'lighttpd'];
const peers = {
	nginx: {
		config: nginxConfig,
		words: (home, file) => [program('nginx'), '-p', home, '-e', `${home}/error.log`, '-c', file],
		version: async () => /nginx\/(\S+)/.exec(await said('nginx', '-v'))[1],
	},
	h2o: {
		config: h2oConfig,
		words: (home, file) => [program('h2o'), '-m', 'worker', '-c', file],
		version: async () => /h2o version (\S+)/.exec(await said('h2o', '-v'))[1],
	},
	lighttpd: {
		config: lighttpdConfig,
		words: (home, file) => [program('lighttpd'), '-D', '-m', find('/usr/lib/lighttpd'), '-f', file],
		version: async () => /lighttpd\/(\S+)/.exec(await said('lighttpd', '-v'))[1],
	},
};

const said = (name, option) => output('sh', ['-c', `"${program(name)}" ${option} 2>&1`],
	{ env: { ...process.env, ...environment() } });

// Starts one as `name`, which says where its files are: {name, port, pids, version, home, stop}.
export async function startPeer(kind, { name = kind, root, workers = 1, headers = {}, place = {}, dav }) {
	const home = path.join(work, `run-${name}`);
	const port = await freePort();
	const file = path.join(home, `${kind}.conf`);
	const log = path.join(home, 'log');
	const peer = peers[kind] ?? fail(`there is no peer ${kind}: ${peerNames.join(', ')}`);
	fs.rmSync(home, { recursive: true, force: true });
	fs.mkdirSync(path.join(home, 'deflate'), { recursive: true });
	fs.writeFileSync(file, peer.config({ home, port, root, workers, headers, dav }));
	const child = start(placed(place, peer.words(home, file)), { log, env: environment(), cwd: home });
	await answers(port, '/', child, log);
	return { name, kind, port, home, pids: family(child.pid), version: await peer.version(),
		stop: () => stop(child) };
}

// The server of ingest_node.mjs, which keeps what it is sent in a folder.
export async function startNode({ folder, place = {} }) {
	const home = path.join(work, 'run-node');
	const log = path.join(home, 'log');
	const port = await freePort();
	fs.mkdirSync(home, { recursive: true });
	const words = [process.execPath, path.join(top, 'tests/bench/ingest_node.mjs'), folder, String(port)];
	const child = start(placed(place, words), { log });
	await answers(port, '/', child, log);
	return { name: 'node', kind: 'node', port, home, pids: [child.pid], version: process.version,
		stop: () => stop(child) };
}

export async function startModeld({ name = 'modeld', store, workers = 1, place = {}, set = {} } = {}) {
	const home = path.join(work, `run-${name}`);
	const log = path.join(home, 'log');
	const file = path.join(home, 'port');
	const own = path.join(home, 'store'); // gone with the daemon
	if (!fs.existsSync(modeldProgram)) {
		fail(`${modeldProgram} is not there; run ./dev build`);
	}
	retire(home);
	fs.mkdirSync(home, { recursive: true });
	const settings = { 'http.threads': workers, 'log.access': 'no', 'http.connections': CONNECTIONS,
		'http.connections_per_address': 0, ...set };
	const words = [modeldProgram, 'serve', '--listen', '127.0.0.1:0', '--store', store ?? own,
		'--port-file', file, ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
	// As it is started with nothing: not with what the shell has for it.
	const env = Object.fromEntries(Object.keys(process.env).filter((key) => key.startsWith('MODELD'))
		.map((key) => [key, undefined]));
	const child = start(placed(place, words), { log, env, cwd: home });
	for (let tries = 0; !fs.existsSync(file); tries++) {
		if (tries === 600 || child.exitCode !== null) {
			fail(`modeld does not start: ${fs.readFileSync(log, 'utf8').slice(-2000)}`);
		}
		await delay(50);
	}
	const [version] = (await output(modeldProgram, ['--version'])).replace(/^modeld /, '').split('\n');
	return { name, kind: 'modeld', port: Number(fs.readFileSync(file, 'utf8')), home,
		pids: family(child.pid), version, stop: async () => {
			await stop(child);
			retire(own);
		} };
}
