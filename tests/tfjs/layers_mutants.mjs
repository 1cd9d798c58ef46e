// SPDX-License-Identifier: Apache-2.0
// Faults to put into a topology or its weight specs, one at a time.

const clone = (v) => JSON.parse(JSON.stringify(v));

/** Every path to a value below `value`. */
function* paths(value, at = []) {
	if (at.length) yield at;
	if (value && typeof value === 'object')
		for (const key of Object.keys(value)) yield* paths(value[key], [...at, Array.isArray(value) ? Number(key) : key]);
}

const get = (root, at) => at.reduce((v, key) => v[key], root);
function set(root, at, value) {
	const parent = get(root, at.slice(0, -1));
	const key = at[at.length - 1];
	if (value === undefined && Array.isArray(parent)) parent.splice(key, 1);
	else if (value === undefined) delete parent[key];
	else parent[key] = value;
}

const replacements = (v) => [
	undefined, null, 'nonsense', 0, -1, 2.5, 7, true, false, [], {},
	...(typeof v === 'number' ? [v + 1, v - 1, [v], [v, v], [v, v, v]] : []),
	...(typeof v === 'string' ? [`${v}x`, v.toUpperCase()] : []),
	...(Array.isArray(v) ? [[...v, 1], [...v].reverse(), v[0]] : []),
];

/* Keys that never matter to loading or predicting are mutated less often. */
const DULL = /seed|regularizer|constraint|keras_version|backend|stddev|rate|momentum|epsilon/;

function inTopology(topology, random) {
	const all = [...paths(topology)].filter((p) => !DULL.test(p.join('/')) || random.next() < 0.1);
	const at = random.pick(all);
	const value = random.pick(replacements(get(topology, at)));
	const out = clone(topology);
	set(out, at, value);
	return { what: `${at.join('/')} = ${value === undefined ? 'deleted' : JSON.stringify(value)}`, topology: out };
}

const SPEC_FAULTS = {
	'is missing': (specs, i) => specs.splice(i, 1),
	'is renamed': (specs, i) => { specs[i].name += 'x'; },
	'has one more level': (specs, i) => { const p = specs[i].name.split('/'); p.splice(-1, 0, 'cell'); specs[i].name = p.join('/'); },
	'has the model before it': (specs, i) => { specs[i].name = `model/${specs[i].name}`; },
	'is turned': (specs, i) => specs[i].shape.reverse(),
	'is longer': (specs, i) => { specs[i].shape[0] = (specs[i].shape[0] ?? 0) + 1; },
	'is int32': (specs, i) => { specs[i].dtype = 'int32'; },
	'has a neighbour': (specs) => specs.push({ name: 'other/kernel', shape: [1], dtype: 'float32' }),
	'ends in a digit': (specs, i) => { specs[i].name = specs[i].name.replace(/[^/]*$/, '0'); },
	'belongs to the optimizer': (specs, i) => { specs[i].group = 'optimizer'; },
	'is by index': (specs) => { const seen = {}; for (const s of specs) { const l = s.name.replace(/\/[^/]*$/, ''); seen[l] = (seen[l] ?? -1) + 1; s.name = `${l}/${seen[l]}`; } },
};

function inSpecs(specs, random) {
	const out = clone(specs);
	const i = random.below(out.length);
	const fault = random.pick(Object.keys(SPEC_FAULTS));
	SPEC_FAULTS[fault](out, i);
	return { what: `weight ${i} ${fault}`, specs: out };
}

/** `n` mutants of {topology, specs}: [{what, topology, specs}...] */
export function* mutants({ topology, specs }, random, n) {
	for (let i = 0; i < n; i++)
		yield { topology, specs, ...(specs.length && random.next() < 0.2 ? inSpecs(specs, random) : inTopology(topology, random)) };
}
