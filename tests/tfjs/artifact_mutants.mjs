// SPDX-License-Identifier: Apache-2.0
// One fault in an artifact that was right: every member of model.json outside of the topology, the bytes
// of the shards, the text of the JSON, the layout of the shards. A mutant is {name, text, shards}; its
// name is "<model> <fault> <place>".

import { concat, random, utf8 } from '../lib/models.mjs';

const VALUES = {
	null: null, true: true, false: false, zero: 0, one: 1, half: 1.5, negative: -1, empty: '', text: 'x',
	digits: '7',
	list: [], numbers: [1], texts: ['x'], lists: [[]], nulls: [null], object: {}, member: { a: 1 },
};

// Where there are many of a kind, a fault has three places.
const places = (n) => (n <= 3 ? [...new Array(n).keys()] : [0, n >> 1, n - 1]);

/** [fault, place, change of a copy of the JSON]. */
function* asJson(model, faults) {
	for (const [fault, place, change] of faults) {
		const json = structuredClone(model.json);
		if (change(json) !== false) {
			yield { name: `${model.name} ${fault} ${place}`, text: JSON.stringify(json), shards: model.shards };
		}
	}
}

// ---- top level ----

const MEMBERS = ['modelTopology', 'weightsManifest', 'format', 'generatedBy', 'convertedBy', 'signature', 'userDefinedMetadata',
	'modelInitializer', 'initializerSignature', 'trainingConfig'];
const OTHERS = ['weightSpecs', 'weightData', 'getWeightStream', 'modelArtifacts', '__proto__', 'constructor', 'ModelTopology', 'weights_manifest',
	'extra'];

function* topLevel() {
	for (const member of MEMBERS) {
		yield ['root.drop', member, (json) => (member in json ? delete json[member] : false)];
		yield ['root.case', member, (json) => {
			if (!(member in json)) {
				return false;
			}
			json[member.toLowerCase()] = json[member];
			return delete json[member];
		}];
	}
	for (const member of [...MEMBERS, ...OTHERS]) {
		for (const [kind, value] of Object.entries(VALUES)) {
			yield [`root.${kind}`, member, (json) => {
				Object.defineProperty(json, member, { value, enumerable: true, writable: true, configurable: true });
			}];
		}
	}
	yield ['root.only', 'topology', (json) => Object.keys(json).filter((key) => key !== 'modelTopology').forEach((key) => delete json[key])];
	yield ['root.reversed', '', (json) => Object.entries(json).reverse().forEach(([key, value]) => {
		delete json[key];
		json[key] = value;
	})];
	yield ['root.array', '', (json) => { Object.assign(json, { toJSON: () => [json.modelTopology] }); }];
	yield ['root.wrapped', '', (json) => { const copy = { ...json }; Object.assign(json, { toJSON: () => ({ model: copy }) }); }];
	yield ['root.many', 'members', (json) => { for (let i = 0; i < 2000; i++) json[`extra${i}`] = i; }];
}

// ---- the manifest ----

const manifestOf = (json) => json.weightsManifest ?? [];

function* groupFaults(model) {
	for (const [kind, value] of Object.entries(VALUES)) {
		yield ['manifest.behind', kind, (json) => manifestOf(json).push(value)];
		yield ['manifest.before', kind, (json) => manifestOf(json).unshift(value)];
	}
	for (const g of manifestOf(model.json).keys()) {
		for (const member of ['paths', 'weights']) {
			yield ['group.drop', `${g}.${member}`, (json) => { delete json.weightsManifest[g][member]; }];
			for (const [kind, value] of Object.entries(VALUES)) {
				yield [`group.${kind}`, `${g}.${member}`, (json) => { json.weightsManifest[g][member] = value; }];
				yield [`group.${member}-behind`, `${g}.${kind}`, (json) => { json.weightsManifest[g][member].push(value); }];
			}
		}
		yield ['group.extra', g, (json) => { Object.assign(json.weightsManifest[g], { quantization: {}, note: null, Paths: 1 }); }];
		yield ['group.remove', g, (json) => json.weightsManifest.splice(g, 1)];
		yield ['group.twice', g, (json) => json.weightsManifest.push(structuredClone(json.weightsManifest[g]))];
		yield ['group.object', g, (json) => { json.weightsManifest[g] = Object.entries(json.weightsManifest[g]); }];
	}
	yield ['manifest.object', '', (json) => { json.weightsManifest = { ...manifestOf(json) }; }];
	yield ['manifest.reversed', '', (json) => manifestOf(json).length > 1 && json.weightsManifest.reverse()];
	yield ['manifest.no-paths-behind', '', (json) => manifestOf(json).push({ paths: [], weights: [] })];
	yield ['manifest.no-paths-before', '', (json) => manifestOf(json).unshift({ paths: [], weights: [] })];
	yield ['manifest.split-paths', '', (json) => {
		const weights = manifestOf(json).flatMap((group) => group.weights);
		json.weightsManifest = [...manifestOf(json).flatMap((group) => group.paths.map((path) => ({ paths: [path], weights: [] }))), { paths: [], weights }];
	}];
	yield ['manifest.split-weights', '', (json) => {
		const paths = manifestOf(json).flatMap((group) => group.paths);
		json.weightsManifest = [{ paths, weights: [] }, ...manifestOf(json).flatMap((group) => group.weights.map((w) => ({ paths: [], weights: [w] })))];
	}];
	yield ['manifest.merged', '', (json) => {
		json.weightsManifest = [{ paths: manifestOf(json).flatMap((group) => group.paths), weights: manifestOf(json).flatMap((group) => group.weights) }];
	}];
}

// ---- weights ----

const NAMES = {
	empty: () => '', suffix: (n) => `${n}:0`, case: (n) => n.toUpperCase(), space: (n) => `${n} `,
	slash: (n) => `/${n}`, cell: (n) => n.replace('/', '/cell/'),
	prefix: (n) => `model/${n}`, index: () => '0', proto: () => '__proto__', builtin: () => 'toString',
	nul: (n) => `${n}\0`, 'nul-before': (n) => `\0${n}`,
	surrogate: (n) => `${n}\ud800`, composed: (n) => `${n}\u0301`, long: (n) => n + 'x'.repeat(5000),
	undefined: () => 'undefined',
	null: () => null, number: () => 7, true: () => true, list: (n) => [n], object: () => ({}),
	numbered: () => '7',
};

const SHAPES = {
	drop: () => undefined, null: () => null, text: (s) => String(s), number: (s) => s[0] ?? 1,
	object: (s) => ({ ...s }), flat: (s) => [size(s)],
	reversed: (s) => [...s].reverse(), more: (s) => [...s, 1], front: (s) => [1, ...s],
	fewer: (s) => s.slice(1), larger: (s) => [...s.slice(0, -1), (s.at(-1) ?? 1) + 1],
	smaller: (s) => (s.length > 0 ? [...s.slice(0, -1), s.at(-1) - 1] : [0]),
	negative: (s) => s.map((d) => -d), 'one-negative': (s) => [...s.slice(1), -1],
	texts: (s) => s.map(String), zero: (s) => [...s, 0], nulls: (s) => [...s, null], half: (s) => [...s, 1.5],
	lists: (s) => s.map((d) => [d]),
	huge: (s) => [...s, 2 ** 53], overflow: () => [4294967296, 4294967296, 4], true: (s) => [...s, true],
	undefined: (s) => [...s, 'x'], scalar: () => [],
	deep: (s) => [...s, ...new Array(100).fill(1)], six: (s) => [1, 1, 1, 1, ...s, 1, 1],
};
const size = (shape) => shape.reduce((n, d) => n * d, 1);

const DTYPES = ['float32', 'int32', 'bool', 'string', 'complex64', 'float16', 'uint8', 'int8', 'uint16', 'int64', 'float64', 'Float32', 'float32 ', 'DT_FLOAT', '',
	'undefined', 'toString', null, 1, true, ['float32'], {}, undefined];

const QUANTIZATIONS = {
	uint8: { dtype: 'uint8', min: 0, scale: 1 }, uint16: { dtype: 'uint16', min: 0, scale: 1 },
	float16: { dtype: 'float16' },
	float32: { dtype: 'float32', min: 0, scale: 1 }, int8: { dtype: 'int8', min: 0, scale: 1 },
	'no-dtype': { min: 0, scale: 1 },
	'null-dtype': { dtype: null, min: 0, scale: 1 }, 'list-dtype': { dtype: ['uint8'], min: 0, scale: 1 },
	proto: { dtype: 'toString' },
};

// What min and scale may be instead.
const NUMBERS = {
	drop: () => undefined, null: () => null, text: String, 'text-space': (v) => ` ${v} `, word: () => 'x',
	empty: () => '', true: () => true, list: (v) => [v],
	'empty-list': () => [], object: () => ({}), same: (v) => v,
};

function set(object, key, value) {
	if (value === undefined) {
		delete object[key];
	} else {
		object[key] = value;
	}
}

function* quantizationFaults(at, model) {
	const quantization = entryAt(model.json, at).quantization;
	const place = at.join('.');
	for (const [kind, value] of [...Object.entries(VALUES), ...Object.entries(QUANTIZATIONS)]) {
		yield ['quantization.is', `${kind} ${place}`, (json) => { entryAt(json, at).quantization = value; }];
	}
	if (!quantization) {
		return;
	}
	yield ['quantization.drop', place, (json) => { delete entryAt(json, at).quantization; }];
	yield ['quantization.scale-zero', place, (json) => ('scale' in quantization ? (entryAt(json, at).quantization.scale = 0) || true : false)];
	for (const member of ['min', 'scale']) {
		for (const [kind, change] of Object.entries(NUMBERS)) {
			yield [`quantization.${member}-${kind}`, place, (json) => set(entryAt(json, at).quantization, member, change(quantization[member] ?? 1))];
		}
	}
	for (const [kind, value] of Object.entries(VALUES)) {
		yield ['quantization.original', `${kind} ${place}`, (json) => { entryAt(json, at).quantization.original_dtype = value; }];
		yield ['quantization.extra', `${kind} ${place}`, (json) => { entryAt(json, at).quantization.more = value; }];
		yield ['quantization.dtype', `${kind} ${place}`, (json) => { entryAt(json, at).quantization.dtype = value; }];
	}
	for (const [kind, { dtype }] of Object.entries(QUANTIZATIONS)) {
		yield ['quantization.dtype', `${kind} ${place}`, (json) => set(entryAt(json, at).quantization, 'dtype', dtype)];
	}
}

const entryAt = (json, [g, w]) => json.weightsManifest[g].weights[w];

function* entryFaults(at, model) {
	const entry = entryAt(model.json, at);
	const place = at.join('.');
	const change = (fault, edit) => [fault, place, (json) => edit(entryAt(json, at))];
	yield change('name.drop', (e) => delete e.name);
	for (const [kind, name] of Object.entries(NAMES)) {
		yield change(`name.${kind}`, (e) => { e.name = name(e.name); });
	}
	for (const [kind, shape] of Object.entries(SHAPES)) {
		yield change(`shape.${kind}`, (e) => set(e, 'shape', shape(e.shape)));
	}
	for (const dtype of DTYPES.filter((d) => d !== entry.dtype)) {
		yield change(`dtype.${JSON.stringify(dtype)}`, (e) => set(e, 'dtype', dtype));
	}
	for (const [kind, value] of [...Object.entries(VALUES), ['model', 'model'], ['optimizer', 'optimizer'], ['Optimizer', 'Optimizer'], ['nul', 'optimizer\0']]) {
		yield change(`group-of.${kind}`, (e) => (e.group === value ? false : (e.group = value)));
		yield change(`entry.extra-${kind}`, (e) => { e.more = value; });
	}
	yield change('group-of.drop', (e) => ('group' in e ? delete e.group : false));
	for (const [kind, value] of Object.entries(VALUES)) {
		yield [`entry.${kind}`, place, (json) => { json.weightsManifest[at[0]].weights[at[1]] = value; }];
	}
	yield ['entry.remove', place, (json) => json.weightsManifest[at[0]].weights.splice(at[1], 1)];
	yield ['entry.twice', place, (json) => json.weightsManifest[at[0]].weights.splice(at[1], 0, structuredClone(entry))];
	yield ['entry.behind', place, (json) => json.weightsManifest.at(-1).weights.push(structuredClone(entry))];
	yield ['entry.none-behind', place, (json) => json.weightsManifest.at(-1).weights.push({ name: 'none', shape: [0], dtype: 'float32' })];
	yield ['entry.none-same-behind', place, (json) => json.weightsManifest.at(-1).weights.push({ name: entry.name, shape: [0], dtype: 'float32' })];
	yield ['entry.none-same-before', place, (json) => json.weightsManifest[0].weights.unshift({ name: entry.name, shape: [0], dtype: 'float32' })];
	yield ['entry.none-nameless-before', place, (json) => json.weightsManifest[0].weights.unshift({ shape: [0], dtype: 'float32' })];
	yield ['entry.none-nameless-behind', place, (json) => json.weightsManifest.at(-1).weights.push({ shape: [0, 7], dtype: 'int32' })];
	yield ['entry.named-as-next', place, (json) => {
		const next = json.weightsManifest[at[0]].weights[at[1] + 1];
		return next ? (entryAt(json, at).name = next.name) : false;
	}];
	yield ['entry.swapped', place, (json) => {
		const list = json.weightsManifest[at[0]].weights;
		return list[at[1] + 1] ? list.splice(at[1], 2, list[at[1] + 1], list[at[1]]) : false;
	}];
	yield* quantizationFaults(at, model);
}

function* weightFaults(model) {
	for (const [g, group] of manifestOf(model.json).entries()) {
		for (const w of places(group.weights.length)) {
			yield* entryFaults([g, w], model);
		}
	}
}

// ---- paths: the manifest says one, and the file has it ----

const PATHS = {
	dot: (p) => `./${p}`, dots: (p) => `././${p}`, folder: (p) => `sub/${p}`,
	'dot-inside': (p) => `sub/./${p}`, parent: (p) => `../${p}`, 'parent-inside': (p) => `sub/../${p}`,
	absolute: (p) => `/${p}`, double: (p) => `sub//${p}`, url: (p) => `https://host/${p}`,
	'two-slashes': (p) => `//host/${p}`, question: (p) => `${p}?x=1`, hash: (p) => `${p}#x`,
	percent: (p) => p.replace('o', '%6F'), 'percent-alone': (p) => `100%${p}`, backslash: (p) => `sub\\${p}`,
	colon: (p) => `a:${p}`, space: (p) => `a ${p}`, 'space-front': (p) => ` ${p}`,
	'space-behind': (p) => `${p} `, dash: (p) => `-${p}`, umlaut: (p) => `ä${p}`, emoji: (p) => `😀${p}`,
	composed: (p) => `a\u0308${p}`, upper: (p) => p.toUpperCase(), empty: () => '',
	dotted: (p) => `.${p}`, 'no-suffix': (p) => p.replace('.bin', ''), 'dot-behind': (p) => `${p}.`,
	plus: (p) => `a+b&c=d;${p}`, tilde: (p) => `~${p}`, brackets: (p) => `[${p}]`,
	long: (p) => `${'l'.repeat(240)}${p}`.slice(-250), 'too-long': (p) => 'l'.repeat(300) + p,
	deep: (p) => 'd/'.repeat(40) + p, model: () => 'model.json', 'model-folder': () => 'sub/model.json',
	control: (p) => `\u0007${p}`, nul: (p) => `${p}\0x`, json: () => 'weights.json',
	surrogate: (p) => `${p}\udc00`, 'c1-control': (p) => `\u0085${p}`, 'directional': (p) => `\u202e${p}`,
};

function* pathFaults(model) {
	for (const [g, group] of manifestOf(model.json).entries()) {
		for (const i of places(group.paths.length)) {
			const path = group.paths[i];
			for (const [kind, change] of Object.entries(PATHS)) {
				const json = structuredClone(model.json);
				const to = change(path.replace(/^\.\//, ''));
				json.weightsManifest[g].paths[i] = to;
				const file = to.replace(/^(\.\/)+/, '');
				const shards = model.shards.map((s) => (s.path === path.replace(/^\.\//, '') ? { path: file, bytes: s.bytes } : s));
				if (/[\0-\x1f"]|\p{Cs}/u.test(file)) { // no multipart header can say it
					continue;
				}
				yield { name: `${model.name} path.${kind} ${g}.${i}`, text: JSON.stringify(json), shards };
			}
			yield* asJson(model, [
				['path.elsewhere', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] = 'elsewhere.bin'; }],
				['path.case-only', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] = path.toUpperCase(); }],
				['path.twice', `${g}.${i}`, (json) => { json.weightsManifest[g].paths.push(path); }],
				['path.nul', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] += '\0'; }],
				['path.surrogate', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] += '\ud83d'; }],
				['path.null', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] = null; }],
				['path.list', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] = [path]; }],
				['path.object', `${g}.${i}`, (json) => { json.weightsManifest[g].paths[i] = { path }; }],
			]);
		}
	}
}

// ---- the bytes of the shards ----

const PAGE = '<!DOCTYPE html>\n<html lang="en"><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n';
const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n';
const GZIP = Uint8Array.of(0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3);
const filled = (text, n) => utf8(text.repeat(Math.ceil(n / text.length) || 1).slice(0, n));

const BYTES = {
	empty: () => new Uint8Array(0), short1: (b) => b.slice(0, -1), short4: (b) => b.slice(0, -4),
	half: (b) => b.slice(0, b.length >> 1), headless: (b) => b.slice(1),
	long1: (b) => concat([b, Uint8Array.of(0)]), long4: (b) => concat([b, new Uint8Array(4)]),
	long100: (b) => concat([b, new Uint8Array(100)]), before4: (b) => concat([new Uint8Array(4), b]),
	double: (b) => concat([b, b]), page: () => utf8(PAGE), 'page-same': (b) => filled(PAGE, b.length),
	'page-long': (b) => filled(PAGE, b.length + 500), lfs: () => utf8(LFS),
	'lfs-same': (b) => filled(LFS, b.length), gzip: (b) => concat([GZIP, b]),
	json: () => utf8('{"error":"not found"}'),
	zeros: (b) => new Uint8Array(b.length), ones: (b) => new Uint8Array(b.length).fill(255),
};

function* byteFaults(model) {
	for (const i of places(model.shards.length)) {
		const { path, bytes } = model.shards[i];
		const others = model.shards.filter((s) => s.path !== path);
		for (const [kind, change] of Object.entries(BYTES)) {
			yield [`bytes.${kind}`, i, [...others, { path, bytes: change(bytes) }]];
		}
		yield ['file.missing', i, others];
		yield ['file.renamed', i, [...others, { path: `${path}.old`, bytes }]];
	}
	for (let i = 0; i + 1 < model.shards.length; i++) {
		const [a, b] = [model.shards[i], model.shards[i + 1]];
		yield ['file.swapped', i, model.shards.with(i, { ...a, bytes: b.bytes }).with(i + 1, { ...b, bytes: a.bytes })];
	}
	yield ['file.surplus', 'text', [...model.shards, { path: 'labels.txt', bytes: utf8('cat\ndog\n') }]];
	yield ['file.surplus', 'shard', [...model.shards, { path: 'group9-shard1of1.bin', bytes: new Uint8Array(8) }]];
	yield ['file.surplus', 'json', [...model.shards, { path: 'metadata.json', bytes: utf8('{"labels":[]}') }]];
}

// A uint32 in front of each string of the weights, made larger and smaller.
function* stringFaults(model) {
	const entries = manifestOf(model.json).flatMap((group) => group.weights);
	if (model.shards.length !== 1 || !entries.every(({ dtype }) => dtype === 'string' || dtype === 'float32')) {
		return;
	}
	const [{ path, bytes }] = model.shards;
	let at = 0;
	for (const { dtype, shape } of entries) {
		for (let i = 0; i < size(shape); i++) {
			if (dtype === 'string') {
				const view = new DataView(bytes.buffer, bytes.byteOffset + at);
				for (const [kind, value] of [['more', 1], ['less', -1], ['huge', 0x7FFFFFFF], ['large', 1000]]) {
					const copy = bytes.slice();
					new DataView(copy.buffer).setUint32(at, Math.max(0, view.getUint32(0, true) + value), true);
					yield [`string.${kind}`, at, [{ path, bytes: copy }]];
				}
				at += view.getUint32(0, true);
			}
			at += 4;
		}
	}
}

function* asShards(model, faults) {
	for (const [fault, place, shards] of faults) {
		yield { name: `${model.name} ${fault} ${place}`, text: JSON.stringify(model.json), shards };
	}
}

// ---- layouts of the same stream ----

const wholeOf = (model) => {
	const paths = manifestOf(model.json).flatMap((group) => group.paths.map((p) => p.replace(/^\.\//, '')));
	return concat(paths.map((path) => model.shards.find((s) => s.path === path).bytes));
};

function cutAt(whole, borders) {
	const ends = [...borders, whole.length];
	return ends.map((end, i) => whole.slice(i ? ends[i - 1] : 0, end));
}

function* layouts(model) {
	const whole = wholeOf(model);
	const n = whole.length;
	const equal = (step) => Array.from({ length: Math.ceil(n / step) - 1 }, (_, i) => (i + 1) * step);
	yield ['one', cutAt(whole, [])];
	for (const step of [1, 3, 4, 7, 16].filter((s) => s < n && n / s < 200)) {
		yield [`equal${step}`, cutAt(whole, equal(step))];
	}
	for (const at of [1, 2, 4, 5, n >> 1, n - 1].filter((x) => x < n)) {
		yield [`two-at-${at === n >> 1 ? 'half' : at === n - 1 ? 'end' : at}`, cutAt(whole, [at])];
	}
	yield ['last-longer', cutAt(whole, [n >> 2, 2 * (n >> 2)])];
	yield ['last-longer-of-many', cutAt(whole, [4, 8, 12].filter((x) => x < n))];
	yield ['growing', cutAt(whole, [1, 3, 6, 10].filter((x) => x < n))];
	yield ['shrinking', cutAt(whole, [10, 16, 19].filter((x) => x < n))];
	yield ['empty-first', cutAt(whole, [0])];
	yield ['empty-last', cutAt(whole, [n])];
	yield ['empty-middle', cutAt(whole, [n >> 1, n >> 1])];
	yield ['empty-two', cutAt(whole, [0, 0])];
	yield ['twelve', cutAt(whole, Array.from({ length: 11 }, (_, i) => Math.floor(((i + 1) * n) / 12)))];
}

// Several groups: the entries stay where they are, the files are spread over the groups.
function* layoutFaults(model) {
	const weights = manifestOf(model.json).flatMap((group) => group.weights);
	if (wholeOf(model).length < 8) {
		return;
	}
	for (const [layout, pieces] of layouts(model)) {
		const shards = pieces.map((bytes, i) => ({ path: `group1-shard${i + 1}of${pieces.length}.bin`, bytes }));
		const made = (fault, weightsManifest) => ({
			name: `${model.name} ${fault} ${layout}`, text: JSON.stringify({ ...model.json, weightsManifest }), shards,
		});
		const paths = shards.map(({ path }) => path);
		yield made('layout', [{ paths, weights }]);
		yield made('layout-groups', [...paths.map((path, i) => ({ paths: [path], weights: i === 0 ? weights : [] }))]);
		if (paths.length > 2) {
			yield made('order.sorted', [{ paths: [...paths].sort(), weights }]);
			yield made('order.reversed', [{ paths: [...paths].reverse(), weights }]);
			yield made('order.first-last', [{ paths: [...paths.slice(1), paths[0]], weights }]);
		}
		const plain = shards.map(({ bytes }, i) => ({ path: `${'cab'[i % 3]}${i}.bin`, bytes }));
		yield { ...made('layout-names', [{ paths: plain.map(({ path }) => path), weights }]), shards: plain };
	}
}

// ---- values in the stream ----

function* valueFaults(model) {
	const entries = manifestOf(model.json).flatMap((group) => group.weights);
	if (model.shards.length !== 1 || !entries.every(({ dtype, quantization }) => dtype === 'float32' && !quantization)) {
		return;
	}
	const [{ path, bytes }] = model.shards;
	let at = 0;
	for (const { shape, name } of entries) {
		const n = size(shape) * 4;
		for (const [kind, value] of [['nan', NaN], ['infinity', Infinity], ['minus-infinity', -Infinity]]) {
			const copy = bytes.slice();
			new DataView(copy.buffer).setFloat32(at, value, true);
			yield [`value.${kind}`, name, [{ path, bytes: copy }]];
		}
		yield ['value.zeros', name, [{ path, bytes: concat([bytes.slice(0, at), new Uint8Array(n), bytes.slice(at + n)]) }]];
		at += n;
	}
}

// ---- the text of model.json ----

const bom = (text) => concat([Uint8Array.of(0xEF, 0xBB, 0xBF), utf8(text)]);
const utf16 = (text) => new Uint8Array(Uint16Array.from(`\ufeff${text}`, (c) => c.charCodeAt(0)).buffer);
const into = (text, members) => `{${members},${text.slice(1)}`;
const behind = (text, members) => `${text.slice(0, -1)},${members}}`;
const latin1 = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));

const TEXTS = {
	bom, 'bom-twice': (t) => concat([Uint8Array.of(0xEF, 0xBB, 0xBF), bom(t)]), utf16,
	newline: (t) => `${t}\n`, spaces: (t) => ` \t\r\n${t} \r\n\t`,
	pretty: (t) => JSON.stringify(JSON.parse(t), null, 2),
	'trailing-brace': (t) => `${t}}`, 'trailing-nul': (t) => `${t}\0`, 'trailing-text': (t) => `${t} x`,
	'trailing-comma': (t) => `${t.slice(0, -1)},}`, comment: (t) => `/* c */${t}`,
	'line-comment': (t) => `${t}\n// c`, 'single-quotes': (t) => t.replaceAll('"', "'"),
	cut: (t) => t.slice(0, -1), half: (t) => t.slice(0, t.length >> 1), empty: () => '', page: () => PAGE,
	lfs: () => LFS,
	gzip: (t) => concat([GZIP, utf8(t)]), formfeed: (t) => `\f${t}`, nbsp: (t) => `\u00a0${t}`,
	'null-root': () => 'null', 'list-root': (t) => `[${t}]`, 'text-root': (t) => JSON.stringify(t),
	nan: (t) => behind(t, '"extra":NaN'), infinity: (t) => behind(t, '"extra":-Infinity'),
	'none': (t) => behind(t, '"extra":None'), undefined: (t) => behind(t, '"extra":undefined'),
	'leading-zero': (t) => behind(t, '"extra":01'), plus: (t) => behind(t, '"extra":+1'),
	dot: (t) => behind(t, '"extra":.5'), hex: (t) => behind(t, '"extra":0x1F'),
	'unquoted': (t) => behind(t, 'extra:1'),
	'huge-number': (t) => behind(t, '"extra":1e400'), 'huge-negative': (t) => behind(t, '"extra":[-1e999]'),
	'tiny-number': (t) => behind(t, '"extra":1e-400'),
	'long-number': (t) => behind(t, `"extra":${'9'.repeat(300)}`),
	'longer-number': (t) => behind(t, `"extra":${'9'.repeat(400)}`),
	'metadata-number': (t) => behind(t.replace('"userDefinedMetadata"', '"was"'), '"userDefinedMetadata":{"a":1e400}'),
	'beyond-53': (t) => behind(t, '"extra":9007199254740993'), 'minus-zero': (t) => behind(t, '"extra":-0'),
	deep200: (t) => behind(t, `"extra":${'['.repeat(200)}${']'.repeat(200)}`),
	deep5000: (t) => behind(t, `"extra":${'['.repeat(5000)}${']'.repeat(5000)}`),
	'deep-metadata': (t) => behind(t.replace('"userDefinedMetadata"', '"was"'), `"userDefinedMetadata":{"a":${'['.repeat(300)}${']'.repeat(300)}}`),
	'twice-same': (t) => behind(t, '"extra":1,"extra":1'),
	'twice-topology': (t) => into(t, '"modelTopology":{}'),
	'twice-topology-behind': (t) => behind(t, '"modelTopology":{}'),
	'twice-manifest': (t) => into(t, '"weightsManifest":[]'),
	'twice-manifest-behind': (t) => behind(t, '"weightsManifest":[]'),
	'twice-escaped': (t) => behind(t, '"weightsManifes\\u0074":[]'),
	'twice-escaped-first': (t) => into(t, '"modelTopolog\\u0079":{}'),
	'twice-format': (t) => into(t, '"format":1,"form\\u0061t":2'),
	'escaped-key': (t) => t.replace('"modelTopology"', '"model\\u0054opology"'),
	'escaped-keys': (t) => t.replaceAll('"name"', '"n\\u0061me"').replaceAll('"shape"', '"\\u0073hape"'),
	'escaped-slash': (t) => t.replaceAll('/', '\\/'),
	'escaped-all': (t) => t.replace(/[a-z](?=[a-z]*")/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`),
	'key-nul': (t) => behind(t, '"weightsManifest\\u0000":[],"modelTopology\\u0000x":1'),
	'key-surrogate': (t) => behind(t, '"\\ud800":1,"\\udc00":2,"\\ufffd":3'),
	'key-nul-before': (t) => into(t, '"weightsManifest\\u0000":[],"modelTopology\\u0000":{"node":[]}'),
	'value-nul': (t) => behind(t, '"extra":"a\\u0000b"'),
	'value-surrogate': (t) => behind(t, '"extra":["\\ud800","\\udc00\\ud800","\\udbff\\udbff"]'),
	'value-pair': (t) => behind(t, '"extra":"\\ud83d\\ude00"'),
	'metadata-nul': (t) => behind(t.replace('"userDefinedMetadata"', '"was"'), '"userDefinedMetadata":{"\\u0000":"\\u0000","k":[{"\\udfff":"\\ud800"}]}'),
	'generated-nul': (t) => behind(t.replace('"generatedBy"', '"was"'), '"generatedBy":"v\\u0000"'),
	'format-surrogate': (t) => behind(t.replace('"format"', '"was"'), '"format":"\\udc00"'),
	'bad-escape': (t) => behind(t, '"extra":"\\x41"'), 'short-escape': (t) => behind(t, '"extra":"\\u41"'),
	'raw-newline': (t) => behind(t, '"extra":"a\nb"'), 'raw-tab': (t) => behind(t, '"extra":"a\tb"'),
	'raw-nul': (t) => behind(t, '"extra":"a\0b"'), 'raw-del': (t) => behind(t, '"extra":"\x7f\u2028\u2029"'),
	'bad-utf8': (t) => latin1(behind(t, '"extra":"\xE4"').replace(/[^\0-\xff]/g, '?')),
	'bad-utf8-overlong': (t) => latin1(behind(t, '"extra":"\xC0\xAF"').replace(/[^\0-\xff]/g, '?')),
	'bad-utf8-surrogate': (t) => latin1(behind(t, '"extra":"\xED\xA0\x80"').replace(/[^\0-\xff]/g, '?')),
	'bad-utf8-key': (t) => latin1(behind(t, '"extra\xFF":1').replace(/[^\0-\xff]/g, '?')),
	'number-forms': (t) => t.replace(/"shape":\[(\d+)/g, '"shape":[$1.0').replace(/,(\d+)\],"dtype"/g, ',$1e0],"dtype"'),
	'shape-beyond-53': (t) => t.replace(/"shape":\[\d+/, '"shape":[9007199254740993'),
	'shape-infinite': (t) => t.replace(/"shape":\[\d+/, '"shape":[1e400'),
	'shape-nan': (t) => t.replace(/"shape":\[\d+/, '"shape":[NaN'),
	'shape-minus-zero': (t) => t.replace(/"shape":\[\d+/, '"shape":[-0'),
	'min-infinite': (t) => t.replace(/"min":[^,}]+/, '"min":-1e400'),
	'min-nan': (t) => t.replace(/"min":[^,}]+/, '"min":NaN'),
	'scale-infinite': (t) => t.replace(/("min":[^,}]+,"scale":)[^,}]+/, '$11e400'),
	'min-python': (t) => t.replace(/"min":[^,}]+/, '"min":-Infinity'),
};

function* textFaults(model) {
	const text = JSON.stringify(model.json);
	for (const [kind, change] of Object.entries(TEXTS)) {
		const changed = change(text);
		if (changed !== text && !(kind.includes('metadata') && model.json.userDefinedMetadata?.signature)) {
			yield { name: `${model.name} text.${kind} `, text: changed, shards: model.shards };
		}
	}
}

// Strings and keys anywhere, each with something in it that only JavaScript can read.
function* escapeFaults(model) {
	const text = JSON.stringify(model.json);
	const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)];
	const next = random(strings.length);
	for (let i = 0; i < Math.min(40, strings.length); i++) {
		const { index, 0: quoted } = strings[Math.floor(next() * strings.length)];
		const at = index + quoted.length - 1;
		const word = quoted.slice(1, -1).slice(0, 24).replace(/[^\w.:-]/g, '_');
		for (const [kind, escape] of [['nul', '\\u0000'], ['surrogate', '\\ud800'], ['letter', '\\u0061']]) {
			yield { name: `${model.name} escape.${kind} ${text[at + 1] === ':' ? 'key' : 'value'}.${word}@${at}`, text: text.slice(0, at) + escape + text.slice(at), shards: model.shards };
		}
	}
}

/** Every mutant of an artifact. */
export function* mutantsOf(model) {
	yield* asJson(model, topLevel());
	yield* asJson(model, groupFaults(model));
	yield* asJson(model, weightFaults(model));
	yield* pathFaults(model);
	yield* asShards(model, byteFaults(model));
	yield* asShards(model, stringFaults(model));
	yield* asShards(model, valueFaults(model));
	yield* layoutFaults(model);
	yield* textFaults(model);
	yield* escapeFaults(model);
}
