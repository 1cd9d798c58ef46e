// SPDX-License-Identifier: Apache-2.0
// The description of the API, /v1/openapi.json, and what it says of an answer: judge() is called with
// every answer that http.mjs and fetch() get from a daemon, and a test that gets one which is not
// described, or not like that, fails.
//
//   OPENAPI_SEEN  a folder for what each process saw, as seen.mjs reads it; unset: it is forgotten

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
// What HTTP needs, whatever the answer.
const OF_HTTP = new Set(['date', 'content-length', 'content-type', 'connection', 'keep-alive', 'transfer-encoding', 'x-request-id']);
// Where there is no operation: before, or instead of, a route.
const WITHOUT_OPERATION = new Set(['ROUTE_NOT_FOUND', 'METHOD_NOT_ALLOWED', 'METHOD_UNKNOWN', 'BAD_REQUEST', 'BAD_TARGET', 'TIMED_OUT',
	'TOO_LARGE', 'TARGET_TOO_LONG', 'EXPECTATION_FAILED', 'WRONG_HOST', 'TOO_MANY', 'HEADERS_TOO_LARGE', 'INTERNAL', 'OUT_OF_MEMORY',
	'SHUTTING_DOWN']);

const program = () => path.join(path.dirname(path.resolve(process.env.MODELD)), 'server/api/generate');

// As the build's own tool prints it, which is what the daemon serves; null where there is no such tool.
export function describedByTool() {
	if (!process.env.MODELD || !fs.existsSync(program())) {
		return null;
	}
	const { status, stdout, stderr } = spawnSync(program(), ['openapi'], { encoding: 'utf8' });
	if (status !== 0) {
		throw new Error(`${program()} openapi: ${stderr}`);
	}
	return stdout;
}

let known; // undefined: not looked for so far

export class Description {
	constructor(doc) {
		this.doc = doc;
		this.validators = new Map();
		this.routes = Object.values(doc.paths).flatMap((item) =>
			METHODS.filter((method) => item[method]).map((method) => routeOf(method, item[method])));
		this.ajv = validatorOf(doc);
		this.coercing = validatorOf(doc, { coerceTypes: true });
		this.everyAnswer = Object.entries(doc.components.headers).filter(([, header]) => header['x-modeld-every-answer']);
	}

	static get known() {
		if (known === undefined) {
			const text = describedByTool();
			known = text && new Description(JSON.parse(text));
		}
		return known;
	}

	resolve(x) {
		return x?.$ref ? at(this.doc, x.$ref) : x;
	}

	// Faults of a value, each with the place of the rule and of the value. `pointer` is that of a schema.
	check(value, pointer, what, ajv = this.ajv) {
		const key = `${ajv === this.ajv ? '' : 'coercing '}${pointer}`;
		if (!this.validators.has(key)) {
			this.validators.set(key, ajv.compile({ $ref: `openapi${pointer}` }));
		}
		const validate = this.validators.get(key);
		return validate(value) ? [] : validate.errors.map((error) => `${what}${error.instancePath} ${error.message} ` +
			`${JSON.stringify(error.params)} (${pointer}: ${error.schemaPath})`);
	}

	// The operation that a method and a path (encoded, without a query) belong to, as the router finds it.
	find(method, target) {
		const wanted = (method === 'HEAD' ? 'GET' : method).toLowerCase();
		const decoded = decode(target);
		const matching = decoded === null ? [] : this.routes.filter(({ regex }) => regex.test(decoded));
		const most = Math.max(...matching.map(({ literals }) => literals));
		const [best] = matching.filter(({ literals }) => literals === most);
		const route = matching.find((other) => other.pattern === best.pattern && other.method === wanted);
		return route && { ...route, captures: route.regex.exec(decoded).groups };
	}
}

function at(doc, pointer) {
	return pointer.slice(2).split('/').reduce((x, key) => x[key.replaceAll('~1', '/').replaceAll('~0', '~')], doc);
}

export function validatorOf(doc, options = {}) {
	const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true, ...options });
	addFormats(ajv);
	ajv.addFormat('binary', true);
	ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'paths', 'components', 'jsonSchemaDialect']);
	return ajv.addSchema(doc, 'openapi');
}

function decode(target) {
	try {
		return target.split('/').map(decodeURIComponent).join('/');
	} catch {
		return null;
	}
}

// server/http/router.h says what these are.
const CAPTURES = { '': '[^/]+', '+': '[^/@]+(?:/[^/@]+)*?', '@': '(?:[^/@]+/)*?[^/]*@[^/]*', '*': '.+' };

function routeOf(method, operation) {
	const pattern = operation['x-modeld-route'];
	const segments = pattern.split('/').slice(1).map((segment) => /^(?:\{(\w+)([+@*]?)\})?(.*)$/.exec(segment).slice(1));
	const regex = segments.map(([name, mark, literal]) =>
		(name ? `(?<${name}>${CAPTURES[mark]})` : '') + literal.replace(/[.]/g, '\\.')).join('/');
	return { method, pattern, operation, regex: new RegExp(`^/${regex}$`), literals: segments.filter(([, , literal]) => literal).length };
}

// ---- one answer ----

const DECODERS = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync };

const typeOf = (headers) => (headers['content-type'] ?? '').split(';')[0].trim();
const isQuiet = (method, target) => ['GET', 'HEAD'].includes(method) && target.startsWith('/models/') && !target.endsWith('/model.json');

function parsed(text, faults, what) {
	try {
		return JSON.parse(text);
	} catch (error) {
		faults.push(`${what} is not JSON: ${error.message}`);
		return undefined;
	}
}

class Case {
	// Without a target nobody knows what was asked for.
	constructor(description, { method, target, status, headers, body, decoded = false, sent = {} }) {
		Object.assign(this, { d: description, method, status, headers, body, decoded, sent, bare: target === undefined });
		[this.path, this.query = ''] = (target ?? '').split(/\?(.*)/s);
		this.faults = [];
		this.route = this.bare ? undefined : description.find(method, this.path);
	}

	#checkHeader(name, header, pointer) {
		const value = this.headers[name.toLowerCase()];
		if (value === undefined) {
			if (header.required) {
				this.faults.push(`the header ${name} is missing (${pointer})`);
			}
			return;
		}
		const schema = header.schema.$ref ?? `${pointer}/schema`;
		this.faults.push(...this.d.check(value, schema, `${name}: ${value}`));
	}

	#checkCommonHeaders() {
		for (const [name, header] of this.d.everyAnswer) {
			this.#checkHeader(name, header, `#/components/headers/${name}`);
		}
	}

	#checkHeaders(response, where) {
		const documented = new Set(this.d.everyAnswer.map(([name]) => name.toLowerCase()));
		this.#checkCommonHeaders();
		for (const [name, header] of Object.entries(response.headers ?? {})) {
			documented.add(name.toLowerCase());
			this.#checkHeader(name, this.d.resolve(header), header.$ref);
		}
		for (const name of Object.keys(this.headers)) {
			if (!documented.has(name) && !OF_HTTP.has(name)) {
				this.faults.push(`the header ${name}: ${this.headers[name]} is not described (${where})`);
			}
		}
	}

	#text() {
		const decoder = this.decoded ? undefined : DECODERS[this.headers['content-encoding']];
		return (decoder ? decoder(this.body) : this.body).toString('utf8');
	}

	#checkLines(schema) {
		for (const line of this.#text().split('\n').filter(Boolean)) {
			const value = parsed(line, this.faults, 'a line');
			this.faults.push(...(value === undefined ? [] : this.d.check(value, schema.$ref, 'a line')));
		}
	}

	// Without a body, though there may be a type for one.
	#isBare(response) {
		return !response.content || (this.status >= 400 && isQuiet(this.method, this.path));
	}

	#checkBody(response, where) {
		const type = typeOf(this.headers);
		const media = response.content?.[type];
		if (this.#isBare(response)) {
			if (this.body.length > 0 || type !== '') {
				this.faults.push(`there should be no body of type "${type}" (${where})`);
			}
		} else if (!media) {
			this.faults.push(`the content type "${type}" is not described (${where})`);
		} else if (media['x-modeld-line']) {
			this.#checkLines(media['x-modeld-line']);
		} else if (/[/+]json$/.test(type) && this.method !== 'HEAD' && media.schema.$ref) {
			const value = parsed(this.#text(), this.faults, 'the body');
			this.faults.push(...(value === undefined ? [] : this.d.check(value, media.schema.$ref, 'body')));
		}
	}

	#checkError(response, codes) {
		const code = this.headers['x-error-code'];
		if (!codes.includes(code)) {
			this.faults.push(`the error ${code} is not among x-modeld-errors`);
		}
		if (this.method !== 'HEAD' && !this.#isBare(response) && !this.body.includes(`"code":"${code}"`)) {
			this.faults.push(`X-Error-Code is ${code}, the body says another`);
		}
	}

	#checkParameters() {
		const { operation, captures } = this.route;
		const query = new URLSearchParams(this.query);
		for (const reference of operation.parameters) {
			const { name, in: place } = this.d.resolve(reference);
			const value = place === 'query' ? query.get(name) : place === 'path' ? captures[name] : null;
			if (value !== null && value !== undefined) {
				const pointer = `${reference.$ref}/schema`;
				this.faults.push(...this.d.check(value, pointer, `${name}=${value}`, this.d.coercing));
			}
		}
	}

	// What was sent and taken is what is described.
	#checkRequest() {
		const schema = this.d.resolve(this.route.operation.requestBody)?.content?.['application/json']?.schema;
		const coded = Object.keys(this.sent.headers ?? {}).some((name) => name.toLowerCase() === 'content-encoding');
		this.#checkParameters();
		if (!schema || coded || !this.sent.body?.length) {
			return;
		}
		const value = parsed(Buffer.from(this.sent.body).toString('utf8').replace(/^\ufeff/, ''), this.faults, 'what was sent');
		this.faults.push(...(value === undefined ? [] : this.d.check(value, schema.$ref, 'what was sent: ')));
	}

	#checkOperation() {
		const { operation } = this.route;
		const reference = operation.responses[this.status];
		if (!reference) {
			this.faults.push(`the status ${this.status} ${this.headers['x-error-code'] ?? ''} is not described`);
			return;
		}
		const response = this.d.resolve(reference);
		const where = reference.$ref ?? `${operation.operationId}, ${this.status}`;
		this.#checkHeaders(response, where);
		this.#checkBody(response, where);
		if (this.status >= 400) {
			this.#checkError(response, operation['x-modeld-errors']);
		} else {
			this.#checkRequest();
		}
	}

	// A preflight, or a path or method that is not here.
	#checkOther() {
		if (this.method === 'OPTIONS' && this.status === 204) {
			this.#checkHeaders(this.d.doc.components.responses.Preflight, '#/components/responses/Preflight');
			return;
		}
		if (!WITHOUT_OPERATION.has(this.headers['x-error-code'])) {
			this.faults.push(`there is no such operation, and no error that says so: ${this.status} ${this.headers['x-error-code']}`);
		}
		if (this.status === 405 && !this.headers.allow) {
			this.faults.push('405 without Allow');
		}
		this.#checkCommonHeaders();
		this.#checkProblem();
	}

	#checkProblem() {
		if (this.body.length > 0) {
			const value = parsed(this.#text(), this.faults, 'the body');
			this.faults.push(...(value === undefined ? [] : this.d.check(value, '#/components/schemas/Problem', 'body')));
		}
	}

	// Of a request that libmicrohttpd does not read, as the description says.
	get isOfLibrary() {
		return this.status >= 400 && !this.headers['x-error-code'] && this.body.toString('latin1').startsWith('<html><head><title>');
	}

	judge() {
		if (this.isOfLibrary) {
			this.route = undefined;
		} else if (this.bare) {
			this.#checkCommonHeaders();
			this.#checkProblem();
		} else if (this.route) {
			this.#checkOperation();
		} else {
			this.#checkOther();
		}
		return this.faults;
	}
}

// What is wrong with an answer, by this description; nothing is noted.
export const faultsOf = (answered, description = Description.known) => new Case(description, answered).judge();

// ---- what a process saw ----

const seen = new Map(); // operation -> Set of "status" and "status CODE"
let unlike = 0;

function note({ route, status, headers, method }) {
	const id = route?.operation.operationId ?? (method === 'OPTIONS' ? 'OPTIONS' : 'none');
	if (!seen.has(id)) {
		seen.set(id, new Set());
	}
	seen.get(id).add(`${status} ${headers['x-error-code'] ?? ''}`.trim());
}

process.on('exit', () => {
	if (process.env.OPENAPI_SEEN && seen.size > 0) {
		const entries = [...seen].map(([id, answers]) => [id, [...answers]]);
		fs.mkdirSync(process.env.OPENAPI_SEEN, { recursive: true });
		fs.writeFileSync(path.join(process.env.OPENAPI_SEEN, `${process.pid}.json`), JSON.stringify(Object.fromEntries(entries)));
	}
	// A test may have taken it for a lost connection.
	if (unlike > 0) {
		process.stderr.write(`${unlike} answers are not as /v1/openapi.json describes them\n`);
		process.exitCode = 1;
	}
});

// Throws when the answer to a request is not one that is described. `headers` have lower-case names,
// `body` is a Buffer; `sent` is {headers, body} of the request.
export function judge(answered) {
	const description = Description.known;
	if (!description) {
		return;
	}
	const one = new Case(description, answered);
	const faults = one.judge();
	note(one);
	if (faults.length === 0) {
		return;
	}
	unlike++;
	const what = `${answered.method} ${answered.target} was answered with ${answered.status}, and not as /v1/openapi.json describes ` +
		`${one.route?.operation.operationId ?? 'what is no operation'}:\n  ${faults.join('\n  ')}`;
	process.stderr.write(`${what}\n`);
	throw new Error(what);
}

// The same of an error that came over a bare socket: of what every answer and every problem has.
export function judgeWire({ method, status, headers, body }) {
	if (headers['x-error-code']) {
		judge({ method, status, headers, body });
	}
}

async function judgeResponse(response, method) {
	const url = new URL(response.url);
	const headers = Object.fromEntries(response.headers);
	const looksAt = /json$/.test(typeOf(headers)) || response.status >= 400;
	const body = looksAt ? Buffer.from(await response.clone().arrayBuffer()) : Buffer.alloc(0);
	judge({ method: method.toUpperCase(), target: url.pathname + url.search, status: response.status, headers, body, decoded: true });
}

// fetch() of Node, for the answers of these origins.
export function judgeFetch(isOurs) {
	const plain = globalThis.fetch;
	globalThis.fetch = async function fetch(input, init) {
		const response = await plain(input, init);
		if (isOurs(new URL(response.url).origin)) {
			await judgeResponse(response, init?.method ?? input.method ?? 'GET');
		}
		return response;
	};
}
