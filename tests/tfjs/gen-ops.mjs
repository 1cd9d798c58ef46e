// SPDX-License-Identifier: Apache-2.0
// Writes common/model/graph_ops.def: the ops that the released TensorFlow.js executes, and what it
// reads of each. Run it after a change of the release in tests/package.json:
//
//	node tests/tfjs/gen-ops.mjs > common/model/graph_ops.def
//
// The mapper says which lists of ops it knows and what each op may have; the executors say which of
// that they ask for. An op that is in a list but in no executor fails like an unknown one, so it is
// left out.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CONVERTER = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'node_modules',
	'@tensorflow', 'tfjs-converter');
const OPERATIONS = path.join(CONVERTER, 'dist', 'operations');

const ATTR_TYPES = {
	string: 'STRING', 'string[]': 'STRINGS', number: 'NUMBER', 'number[]': 'NUMBERS', bool: 'BOOL',
	'bool[]': 'BOOLS', shape: 'SHAPE', 'shape[]': 'SHAPES', dtype: 'DTYPE', 'dtype[]': 'DTYPES',
	func: 'FUNC',
};

function source(...file) {
	return fs.readFileSync(path.join(OPERATIONS, ...file), 'utf8')
		.replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

async function listedOps() {
	const lists = [...source('operation_mapper.js').matchAll(/from '\.\/op_list\/(\w+)'/g)];
	const modules = await Promise.all(lists.map(([, name]) =>
		import(`data:text/javascript,${encodeURIComponent(source('op_list', `${name}.js`))}`)));
	return modules.flatMap((module) => module.json);
}

const quoted = (text) => [...text.matchAll(/getParamValue\('(\w+)'/g)].map(([, name]) => name);

// {async, ops: Map(op -> Set of parameters that its code asks for)} of one executor. Helpers are
// functions that stand before executeOp; what they ask for counts for who calls them.
function readExecutor(category) {
	const file = path.join(OPERATIONS, 'executors', `${category}_executor.js`);
	if (!fs.existsSync(file)) {
		return { async: false, ops: new Map() };
	}
	const [before, body] = source('executors', `${category}_executor.js`)
		.split(/export const executeOp = /);
	const helpers = { getPadding: ['pad', 'explicitPaddings'] };
	for (const [, name, code] of before.matchAll(/^(?:async )?function (\w+)\([^]*?\{\n([^]*?)^\}/gm)) {
		helpers[name] = [...quoted(code), ...(code.includes('getPadding(') ? helpers.getPadding : [])];
	}
	const ops = new Map();
	for (const [, labels, code] of
		body.matchAll(/((?:^ {8}case '\w+':(?: \{.*)?\n)+)([^]*?)(?=^ {8}(?:case|default))/gm)) {
		const asked = new Set(quoted(code));
		for (const [name, params] of Object.entries(helpers)) {
			if (code.includes(`${name}(`)) {
				params.forEach((param) => asked.add(param));
			}
		}
		for (const [, op] of labels.matchAll(/case '(\w+)'/g)) {
			ops.set(op, asked);
		}
	}
	return { async: body.startsWith('async'), ops };
}

// How many inputs the op's code takes for granted, and whether it takes control inputs for data.
function readInputs(op, asked) {
	let min = op.tfOpName === 'Merge' ? 1 : 0;
	let behind = 0;
	let tail = 'FIXED';
	for (const { name, type, start, end } of op.inputs ?? []) {
		if (!asked.has(name)) {
			continue;
		}
		if (start < 0) {
			behind++;
			tail = 'BACK';
		} else {
			min = Math.max(min, start + (name === 'args' ? 0 : 1));
		}
		if (type === 'tensors' && end === 0) {
			tail = 'ALL';
		}
	}
	return { min: min + behind, tail };
}

function row(macro, ...cells) {
	return `${macro}(${cells.join(', ')})`;
}

const string = (text) => (text === undefined ? 'NULL' : `"${text}"`);
const sorted = (ops) => ops.sort((a, b) => (a.tfOpName < b.tfOpName ? -1 : 1));

async function table() {
	// of Enter, before it is executed
	const byGraph = quoted(fs.readFileSync(path.join(OPERATIONS, '..', 'executor', 'graph_executor.js'), 'utf8'));
	const executors = new Map();
	const ops = [];
	const attrs = [];
	for (const op of sorted(await listedOps())) {
		if (!executors.has(op.category)) {
			executors.set(op.category, readExecutor(op.category));
		}
		const executor = executors.get(op.category);
		const asked = executor.ops.get(op.tfOpName);
		if (!asked) {
			continue;
		}
		const { min, tail } = readInputs(op, asked);
		ops.push(row('GRAPH_OP', string(op.tfOpName), executor.async ? 'ASYNC' : 'SYNC', min, tail,
			attrs.length, op.attrs?.length ?? 0, string(op.outputs?.join(','))));
		for (const attr of op.attrs ?? []) {
			attrs.push(row('GRAPH_ATTR', string(attr.tfName), string(attr.tfDeprecatedName),
				ATTR_TYPES[attr.type],
				asked.has(attr.name) || byGraph.includes(attr.name) ? 'READ' : 'IGNORED',
				attr.defaultValue === undefined ? 'NONE' : 'DEFAULT'));
		}
	}
	return { ops, attrs };
}

const { version } = JSON.parse(fs.readFileSync(path.join(CONVERTER, 'package.json'), 'utf8'));
const { ops, attrs } = await table();
process.stdout.write(`/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that TensorFlow.js executes. Written by tests/tfjs/gen-ops.mjs from the release that is
 * named here; do not edit.
 *
 * GRAPH_OP(name, whether it returns a promise, inputs it takes for granted, which inputs it takes:
 * the first FIXED ones, ALL of them, or some counted from the BACK; first row and number of rows in
 * the second table, names of its outputs)
 * GRAPH_ATTR(name, older name, type, whether its executor asks for it, whether it has a default) */
#ifdef GRAPH_RELEASE
GRAPH_RELEASE("${version}")
#endif
#ifdef GRAPH_OP
${ops.join('\n')}
#endif
#ifdef GRAPH_ATTR
${attrs.join('\n')}
#endif
`);
