// SPDX-License-Identifier: Apache-2.0
// What strace wrote with -f and -y, as events, and what makes what durable.

import path from 'node:path';

// The calls that the questions below are about.
export const TRACED = ['open', 'openat', 'mkdir', 'mkdirat', 'link', 'linkat', 'rename', 'renameat', 'renameat2',
	'fsync', 'fdatasync', 'syncfs', 'sync_file_range', 'write', 'pwrite64', 'writev', 'pwritev', 'sendto', 'sendmsg',
	'ftruncate', 'unlink', 'unlinkat'];

// Events in the order in which they began, each with the place where it ended: {pid, name, args,
// result, begin, end}.
export function parseTrace(text) {
	const events = [];
	const unfinished = new Map();
	for (const [at, line] of text.split('\n').entries()) {
		const split = /^(\d+)\s+(.*)$/.exec(line);
		if (!split) {
			continue;
		}
		const [, pid, rest] = split;
		const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
		const whole = /^(\w+)\((.*)\)\s+= (-?\d+).*$/.exec(rest);
		const begun = /^(\w+)\((.*) <unfinished \.\.\.>$/.exec(rest);
		if (resumed) {
			const event = unfinished.get(pid);
			const ended = /^(.*)\)\s+= (-?\d+).*$/.exec(resumed[2]);
			if (event && ended) {
				Object.assign(event, { args: event.args + ended[1], result: Number(ended[2]), end: at });
			}
			unfinished.delete(pid);
		} else if (whole) {
			events.push({ pid, name: whole[1], args: whole[2], result: Number(whole[3]), begin: at, end: at });
		} else if (begun) {
			const event = { pid, name: begun[1], args: begun[2], result: NaN, begin: at, end: Infinity };
			events.push(event);
			unfinished.set(pid, event);
		}
	}
	return events;
}

// The path that `-y` prints behind a descriptor: the first of the arguments.
export const pathOf = (event) => /^\d+<([^>]*)>/.exec(event.args)?.[1] ?? '';

// The names in a call, absolute as far as -y tells.
export function namesOf(event) {
	const full = [...event.args.matchAll(/(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"/g)];
	return full.map(([, dir, name]) => (path.isAbsolute(name) ? name : path.join(dir ?? '', name)));
}

export const isWrite = ({ name }) => /^p?write(v|64)?$/.test(name);
export const isAnswer = (event) => /^(sendto|sendmsg|write|writev)$/.test(event.name) &&
	event.args.includes('HTTP/1.1 20') && /^\d+<(TCP|socket)/.test(event.args);

// Events of one store, and which of them makes which durable.
export class StoreTrace {
	constructor(events, store) {
		this.events = events;
		this.store = store;
		this.log = path.join(store, 'catalog.db-wal');
	}

	// Those that began in these places.
	between(from, to) {
		return new StoreTrace(this.events.filter(({ begin }) => begin > from && begin <= to), this.store);
	}

	named(pattern) {
		return this.events.filter((event) => pattern.test(event.name) && event.result >= 0)
			.map((event) => ({ ...event, names: namesOf(event) }));
	}

	under(dir, file) {
		return Boolean(file?.startsWith(`${path.join(this.store, dir)}/`));
	}

	links() {
		return this.named(/^(link|rename)/).filter(({ names }) => this.under('blobs', names[1]));
	}

	dirs() {
		return this.named(/^mkdir/).filter(({ names }) => this.under('blobs', names[0]));
	}

	removals(dir) {
		return this.named(/^unlink/).filter(({ names }) => this.under(dir, names[0]));
	}

	created(dir) {
		return this.named(/^open/).filter(({ names, args }) => args.includes('O_CREAT') && this.under(dir, names[0]));
	}

	writesTo(file) {
		return this.events.filter((event) => (isWrite(event) || event.name === 'ftruncate') && pathOf(event) === file);
	}

	// A sync of `file` (or of all files of its file system) that began after `event` ended: what the event
	// did to the file is durable where that ended. Only those that ended before `limit`.
	syncAfter(event, file, limit) {
		return this.events.find((sync) => sync.result === 0 && sync.begin > event.end && sync.end < limit &&
			(/^f(data)?sync$/.test(sync.name) ? pathOf(sync) === file :
				sync.name === 'syncfs' && this.under('.', `${pathOf(sync)}/`)));
	}

	// The commits of the catalog: {begin, end}, from the first write to its log to the end of the sync.
	commits() {
		const syncs = this.events.filter((event) => /^f(data)?sync$/.test(event.name) && event.result === 0 &&
			pathOf(event) === this.log);
		const writes = this.writesTo(this.log);
		return syncs.map((sync, i) => {
			const since = i === 0 ? -1 : syncs[i - 1].end;
			const first = writes.find(({ begin }) => begin > since && begin < sync.begin);
			return first && { begin: first.begin, sync: sync.begin, end: sync.end };
		}).filter(Boolean);
	}
}
