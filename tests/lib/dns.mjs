// SPDX-License-Identifier: Apache-2.0
// A name server that says what a test wants, and something else the next time when it wants that.

import dgram from 'node:dgram';
import net from 'node:net';

const TYPE = { 1: 'A', 28: 'AAAA' };
const NAME_ERROR = 3;
const AUTHORITATIVE = 0x8400;
const HEAD = 12;

function addressBytes(address) {
	if (net.isIPv4(address)) {
		return Buffer.from(address.split('.').map(Number));
	}
	const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
	const [a, b, c, d] = tail ? addressBytes(tail[2]) : [];
	const whole = tail ? `${tail[1]}${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}` : address;
	const [left, right = ''] = whole.split('::').map((half) => half.split(':').filter(Boolean).join(':'));
	const words = (text) => text.split(':').filter(Boolean).map((word) => parseInt(word, 16));
	const zeros = Array(8 - words(left).length - words(right).length).fill(0);
	const bytes = Buffer.alloc(16);
	[...words(left), ...zeros, ...words(right)].forEach((word, i) => bytes.writeUInt16BE(word, 2 * i));
	return bytes;
}

function questionOf(query) {
	const labels = [];
	let at = HEAD;
	while (query[at] !== 0) {
		labels.push(query.subarray(at + 1, at + 1 + query[at]).toString('latin1'));
		at += query[at] + 1;
	}
	return { name: labels.join('.').toLowerCase(), type: TYPE[query.readUInt16BE(at + 1)], end: at + 5 };
}

function answerTo(query, { end, type }, addresses) {
	const records = (addresses ?? []).filter((address) => (net.isIPv4(address) ? 'A' : 'AAAA') === type).map((address) => {
		const bytes = addressBytes(address);
		const head = Buffer.alloc(HEAD);
		head.writeUInt16BE(0xc000 | HEAD, 0); // the name of the question
		head.writeUInt16BE(type === 'A' ? 1 : 28, 2);
		head.writeUInt16BE(1, 4);
		head.writeUInt16BE(bytes.length, 10); // behind a time to live of 0
		return Buffer.concat([head, bytes]);
	});
	const head = Buffer.alloc(HEAD);
	query.copy(head, 0, 0, 2);
	head.writeUInt16BE(AUTHORITATIVE | (query[2] & 1) << 8 | (addresses ? 0 : NAME_ERROR), 2);
	head.writeUInt16BE(1, 4);
	head.writeUInt16BE(records.length, 6);
	return Buffer.concat([head, query.subarray(HEAD, end), ...records]);
}

export class NameServer {
	constructor() {
		this.names = new Map();
		this.asked = []; // names, in the order of the questions
	}

	// `turns` are lists of addresses: the first for the first question of each type, and so on; the last stays.
	set(name, ...turns) {
		this.names.set(name, { turns, n: { A: 0, AAAA: 0 } });
	}

	#addresses({ name, type }) {
		const known = this.names.get(name);
		return known && known.turns[Math.min(known.n[type]++, known.turns.length - 1)];
	}

	start(port = 53) {
		this.socket = dgram.createSocket('udp4');
		this.socket.on('message', (query, { port: to, address }) => {
			const question = questionOf(query);
			this.asked.push(question.name);
			this.socket.send(answerTo(query, question, this.#addresses(question)), to, address);
		});
		return new Promise((resolve, reject) => {
			this.socket.once('error', reject);
			this.socket.bind(port, '127.0.0.1', () => resolve(this));
		});
	}

	stop() {
		this.socket.close();
	}
}
