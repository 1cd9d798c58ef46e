// SPDX-License-Identifier: Apache-2.0
// Faults to put into a topology, its training configuration or its weight specs, one at a time.

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

/** {topology: changed copy} or {training: changed copy}, with its name. */
function changed(original, member, at, value) {
	const copy = clone(original[member]);
	set(copy, at, value);
	const prefix = member === 'topology' ? '' : `${member}/`;
	return { ...original, what: `${prefix}${at.join('/')} = ${value === undefined ? 'deleted' : JSON.stringify(value)}`, [member]: copy };
}

function inTopology(original, random) {
	const all = [...paths(original.topology)].filter((p) => !DULL.test(p.join('/')) || random.next() < 0.1);
	const at = random.pick(all);
	return changed(original, 'topology', at, random.pick(replacements(get(original.topology, at))));
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
	'comes twice': (specs, i) => specs.push(clone(specs[i])),
	'comes last': (specs, i) => specs.push(...specs.splice(i, 1)),
	'ends in a digit': (specs, i) => { specs[i].name = specs[i].name.replace(/[^/]*$/, '0'); },
	'belongs to the optimizer': (specs, i) => { specs[i].group = 'optimizer'; },
	'belongs to the model': (specs, i) => { delete specs[i].group; },
	'is by index': (specs) => { const seen = {}; for (const s of specs) { const l = s.name.replace(/\/[^/]*$/, ''); seen[l] = (seen[l] ?? -1) + 1; s.name = `${l}/${seen[l]}`; } },
	'is by index below vars': (specs) => { const seen = {}; for (const s of specs) { const l = s.name.replace(/\/[^/]*$/, ''); seen[l] = (seen[l] ?? -1) + 1; s.name = `layers/${l}/vars/${seen[l]}`; } },
};

function inSpecs(original, fault, i) {
	const specs = clone(original.specs);
	SPEC_FAULTS[fault](specs, i);
	return { ...original, what: `weight ${i} ${fault}`, specs };
}

/** `n` mutants of {topology, specs, training}: [{what, topology, specs, training}...] */
export function* mutants(original, random, n) {
	for (let i = 0; i < n; i++)
		yield original.specs.length && random.next() < 0.2
			? inSpecs(original, random.pick(Object.keys(SPEC_FAULTS)), random.below(original.specs.length))
			: inTopology(original, random);
}

/* ---- every key of every class ---- */

/** Every object {class_name, config} below `value`: [path, object]. */
export function* objects(value, at = []) {
	if (!value || typeof value !== 'object') return;
	if (typeof value.class_name === 'string' && value.config && typeof value.config === 'object') yield [at, value];
	for (const key of Object.keys(value)) yield* objects(value[key], [...at, Array.isArray(value) ? Number(key) : key]);
}

const wrongType = (v) => {
	if (typeof v === 'number' || typeof v === 'boolean') return 'nonsense';
	return Array.isArray(v) ? {} : 7;
};
const wrongValue = (v) => {
	if (typeof v === 'number') return -1;
	if (typeof v === 'string') return `${v}x`;
	if (typeof v === 'boolean') return !v;
	return Array.isArray(v) ? [...v, ...v] : { class_name: 'Nonsense', config: {} };
};

/** Each key of each class once removed, once of a wrong type, once with a wrong value; in the
 * smallest model that has it. */
export function* everyKey(originals) {
	const done = new Set();
	const bySize = originals.map((o) => [JSON.stringify(o.topology).length, o]).sort((a, b) => a[0] - b[0]);
	for (const [, original] of bySize) {
		for (const [at, object] of objects(original.topology)) {
			const keys = [...Object.keys(object).map((k) => [k]), ...Object.keys(object.config).map((k) => ['config', k])];
			for (const key of keys) {
				const id = `${object.class_name} ${key.join('/')}`;
				if (done.has(id) || Array.isArray(object.config)) continue;
				done.add(id);
				const v = get(object, key);
				for (const value of [undefined, wrongType(v), wrongValue(v)]) yield changed(original, 'topology', [...at, ...key], value);
			}
		}
	}
}

/** Each value of the training configuration replaced in every way. */
export function* everyTraining(originals) {
	const done = new Set();
	for (const original of originals.filter(({ training }) => training)) {
		for (const at of paths(original.training)) {
			const v = get(original.training, at);
			const id = `${original.training.optimizer_config.class_name} ${at.join('/')}`;
			const all = /^optimizer_config/.test(at.join('/')) ? [undefined, null, wrongType(v), wrongValue(v)] : replacements(v);
			if (done.has(id)) continue;
			done.add(id);
			for (const value of all) yield changed(original, 'training', at, value);
		}
	}
	const forms = [
		['loss_weights', [1]], ['loss_weights', null], ['weighted_metrics', []], ['sample_weight_mode', 'temporal'], ['sample_weight_mode', 0], ['other', 1],
		['loss', 'mean_squared_error'], ['loss', 'mse'], ['loss', ['hinge', 'poisson']], ['loss', ['hinge']], ['loss', { a: 'hinge' }], ['loss', { c: 'hinge' }],
		['loss', { a: 'nonsense' }], ['loss', { a: null }], ['loss', { a: ['hinge'] }], ['loss', [['hinge'], ['hinge']]], ['loss', [1, 2]],
		['metrics', { a: 'mse', b: ['mae'] }], ['metrics', { a: 'nonsense' }], ['metrics', { c: 'nonsense' }], ['metrics', { c: null }], ['metrics', { a: ['binary_accuracy'] }],
		['metrics', { a: 'binary_accuracy' }], ['metrics', { a: [null] }], ['metrics', [['acc']]], ['metrics', [{ class_name: 'MeanMetricWrapper', config: {} }]], ['metrics', 'acc'],
	];
	for (const name of ['trained with adam', 'trained with two outputs'])
		for (const original of originals.filter((o) => o.name === name))
			for (const [key, value] of forms) yield changed(original, 'training', [key], value);
}

/** Each fault of weights, in the first and the last weight of every model that `of` says. */
export function* everySpec(originals, of) {
	for (const original of originals.filter(({ name, specs }) => of.test(name) && specs.length > 0))
		for (const fault of Object.keys(SPEC_FAULTS))
			for (const i of new Set([0, original.specs.length - 1])) yield inSpecs(original, fault, i);
}
