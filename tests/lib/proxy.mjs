// SPDX-License-Identifier: Apache-2.0
// A TCP proxy before a daemon that counts bytes, and cuts or slows connections.

import net from 'node:net';

// `cut({up, down, connections}, side, bytes)` is asked for each piece, of the client ('up') or the daemon ('down'),
// with the number of bytes of all connections so far: true ends this connection, with the piece thrown away.
// `pace(side)` gives a promise to wait for before a piece goes on.
export async function startProxy(t, daemon, { cut = () => false, pace } = {}) {
	const proxy = { up: 0, down: 0, connections: 0, cuts: 0 };
	const open = new Set();
	const server = net.createServer((client) => {
		const upstream = net.connect(daemon.port, '127.0.0.1');
		proxy.connections++;
		const end = () => {
			client.destroy();
			upstream.destroy();
		};
		for (const socket of [client, upstream]) {
			open.add(socket);
			socket.on('error', end);
			socket.on('close', () => open.delete(socket));
		}
		// What has come is passed on in its order, also when its sender is gone by then.
		const forward = (from, to, count) => {
			let passed = Promise.resolve();
			const pass = async (bytes) => {
				await pace?.(count, bytes.length);
				if (!to.destroyed && !to.write(bytes)) {
					await new Promise((resolve) => to.once('drain', resolve).once('close', resolve));
				}
				from.resume();
			};
			from.on('data', (bytes) => {
				proxy[count] += bytes.length;
				if (cut(proxy, count, bytes)) {
					proxy.cuts++;
					end();
					return;
				}
				from.pause();
				passed = passed.then(() => pass(bytes));
			});
			from.on('close', () => passed.then(() => to.end()));
		};
		forward(client, upstream, 'up');
		forward(upstream, client, 'down');
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	proxy.origin = `http://127.0.0.1:${server.address().port}`;
	t.after(() => {
		open.forEach((socket) => socket.destroy());
		server.close();
	});
	return proxy;
}
