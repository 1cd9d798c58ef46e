// SPDX-License-Identifier: Apache-2.0
// Somebody between the daemon and the server that it fetches from, who counts, and changes what he likes.

import http from 'node:http';

export class Relay {
	// `change(target, body)` may change the bytes of an answer.
	constructor(port, change = () => {}) {
		this.forget();
		this.server = http.createServer((request, response) => {
			this.targets.push(request.url);
			const options = { host: '127.0.0.1', port, method: request.method, path: request.url, agent: false,
				headers: { ...request.headers, host: `127.0.0.1:${port}` } };
			const call = http.request(options, (answer) => {
				const pieces = [];
				answer.on('data', (piece) => pieces.push(piece));
				answer.on('end', () => {
					const body = Buffer.concat(pieces);
					change(request.url, body);
					this.bodyBytes += body.length;
					response.writeHead(answer.statusCode, answer.rawHeaders);
					response.end(body);
				});
			});
			call.on('error', () => response.destroy());
			request.pipe(call);
		});
	}

	start() {
		return new Promise((resolve) => {
			this.server.listen(0, '127.0.0.1', () => {
				this.origin = `http://127.0.0.1:${this.server.address().port}`;
				resolve(this);
			});
		});
	}

	url(target) {
		return this.origin + target;
	}

	forget() {
		this.targets = [];
		this.bodyBytes = 0;
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((resolve) => { this.server.close(resolve); });
	}
}
