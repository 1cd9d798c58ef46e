// SPDX-License-Identifier: Apache-2.0
// What of /v1/openapi.json the tests have seen: node tests/openapi.mjs FOLDER, after they wrote there
// (OPENAPI_SEEN, lib/openapi.mjs). Each operation has to have given every answer that is not an error,
// and each handler every error of its own; what is an error of many operations has to have been seen of
// one. What nobody sees is in the list below, with the reason.

import fs from 'node:fs';
import path from 'node:path';

import { Description } from './lib/openapi.mjs';

const OF_MANY = 12; // operations

// "HANDLER CODE", "OPERATION STATUS", or "any CODE".
const COLLECTED = 'a file that is collected between two steps of a publish: unit tests of the registry do it';
const UNSEEN = {
	'publish BLOB_GONE': COLLECTED,
	'upload-publish BLOB_GONE': COLLECTED,
	'upload-put BLOB_GONE': COLLECTED,
	'upload-patch BLOB_GONE': COLLECTED,
	'any INTERNAL': 'a fault of modeld that is not known',
	'any SHUTTING_DOWN': 'of a moment: who stops a daemon seldom asks it something as well',
};

const [folder] = process.argv.slice(2);
const files = fs.existsSync(folder ?? '') ? fs.readdirSync(folder) : [];
if (files.length === 0) {
	process.stderr.write('usage: node tests/openapi.mjs FOLDER, where tests wrote what they saw (OPENAPI_SEEN)\n');
	process.exit(2);
}

const operations = Description.known.routes.map(({ operation }) => operation);
const handlerOf = new Map(operations.map((operation) => [operation.operationId, operation['x-modeld-handler']]));

const seen = new Set();
for (const file of files) {
	for (const [id, answers] of Object.entries(JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')))) {
		for (const [status, code] of answers.map((answer) => answer.split(' '))) {
			seen.add(code ? `any ${code}` : `${id} ${status}`);
			seen.add(`${handlerOf.get(id)} ${code}`);
		}
	}
}

const errors = operations.flatMap((operation) => operation['x-modeld-errors'].map((code) => [handlerOf.get(operation.operationId), code]));
const isOfMany = (code) => errors.filter(([, other]) => other === code).length >= OF_MANY;
const wanted = [...new Set([
	...operations.flatMap(({ operationId, responses }) =>
		Object.keys(responses).filter((status) => status < 400).map((status) => `${operationId} ${status}`)),
	...errors.map(([handler, code]) => `${isOfMany(code) ? 'any' : handler} ${code}`),
])];
const missing = wanted.filter((answer) => !seen.has(answer) && !(answer in UNSEEN));
const all = [...new Set(errors.map((error) => error.join(' ')))];
const counted = (list) => `${list.filter((answer) => seen.has(answer)).length} of ${list.length}`;

for (const answer of missing) {
	process.stdout.write(`not seen: ${answer}\n`);
}
for (const answer of Object.keys(UNSEEN).filter((one) => seen.has(one))) {
	process.stdout.write(`seen after all: ${answer}\n`);
}
process.stdout.write(`seen: ${counted(wanted)} answers; ${counted(all)} errors, those of many operations of each handler\n`);
process.exit(missing.length > 0 ? 1 : 0);
