// SPDX-License-Identifier: Apache-2.0
// The documents, README.md and docs/*.md, as tests read them: their fenced blocks, of which the words
// behind the language say what is to be done with them.
//
//   ```sh run            bash runs it in a scratch folder, and every command succeeds
//   ```sh run exit=3     its last command ends with 3
//   ```sh status         bash runs it, and each curl gets the status in a comment behind it
//                        (api-docs.test.mjs)
//   ```text answer       what the block before printed, line for line: "..." in a line stands for
//                        anything, a line of it for any number of lines
//   ```http answer       likewise
//   ```json answer       it printed a document that has at least these members; "..." in a string
//                        stands for anything, as the last element for the rest of an array
//   ```js run            Node runs it, with @tensorflow/tfjs
//   ```html run          Chromium loads it
//   ```ini               a file for modeld.conf

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export const documents = ['README.md',
	...fs.readdirSync(path.join(TOP, 'docs')).filter((name) => name.endsWith('.md')).sort()
		.map((name) => `docs/${name}`)];

// [{lang, words, text, line}] in order; `line` is that of the fence.
export function blocksOf(document) {
	const blocks = [];
	let open;
	fs.readFileSync(path.join(TOP, document), 'utf8').split('\n').forEach((line, i) => {
		const fence = line.match(/^```(.*)$/);
		if (!fence) {
			open?.lines.push(line);
		} else if (open) {
			blocks.push({ ...open, text: `${open.lines.join('\n')}\n` });
			open = undefined;
		} else {
			const [lang, ...words] = fence[1].trim().split(/\s+/);
			open = { lang, words, line: i + 1, lines: [] };
		}
	});
	return blocks;
}

export const toRun = (document, lang) =>
	blocksOf(document).filter((block) => block.lang === lang && block.words.includes('run'));

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
const pattern = (text) => new RegExp(`^${text.split('...').map(escaped).join('.*')}$`, 's');

export function linesMatch(expected, printed) {
	const lines = (text) => text.trim().split('\n').map((line) => line.trimEnd());
	const matches = ([wanted, ...others], given) => {
		if (wanted === '...') {
			return matches(others, given) || (given.length > 0 && matches([wanted, ...others], given.slice(1)));
		}
		return wanted === undefined ? given.length === 0
			: given.length > 0 && pattern(wanted).test(given[0]) && matches(others, given.slice(1));
	};
	return matches(lines(expected), lines(printed));
}

// The path of the first member of `expected` that `given` does not have; undefined when it has all.
export function jsonDiffers(expected, given, at = '') {
	if (typeof expected === 'string' && expected.includes('...')) {
		return pattern(expected).test(typeof given === 'string' ? given : JSON.stringify(given)) ? undefined : at;
	}
	if (expected === null || typeof expected !== 'object') {
		return expected === given ? undefined : at;
	}
	if (given === null || typeof given !== 'object' || Array.isArray(expected) !== Array.isArray(given)) {
		return at;
	}
	const open = Array.isArray(expected) && expected.at(-1) === '...';
	const wanted = open ? expected.slice(0, -1) : expected;
	if (Array.isArray(wanted) && !open && wanted.length !== given.length) {
		return `${at}/length`;
	}
	for (const key of Object.keys(wanted)) {
		const differs = key in given ? jsonDiffers(wanted[key], given[key], `${at}/${key}`) : `${at}/${key}`;
		if (differs !== undefined) {
			return differs;
		}
	}
	return undefined;
}
