// SPDX-License-Identifier: Apache-2.0
// A certificate authority of a test's own, made by openssl.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { scratchDir } from './daemon.mjs';

function openssl(...words) {
	const { status, stderr, error } = spawnSync('openssl', words, { encoding: 'utf8' });
	if (status !== 0) {
		throw new Error(`openssl ${words.join(' ')}: ${error?.message ?? stderr}`);
	}
}

const alternative = (name) => (/^[0-9.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`);

export class Authority {
	#issued = 0;

	constructor(name = 'Authority of a test') {
		this.dir = scratchDir('tls');
		this.key = path.join(this.dir, 'ca.key');
		this.file = path.join(this.dir, 'ca.pem');
		openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
			'-days', '2', '-subj', `/CN=${name}`,
			'-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign', '-keyout', this.key,
			'-out', this.file);
	}

	// A certificate for these names and addresses: {keyFile, certFile, key, cert}.
	issue(...names) {
		return this.issueFor('2', ...names);
	}

	// One of so many days, which may be negative.
	issueFor(days, ...names) {
		const base = path.join(this.dir, String(++this.#issued));
		const [keyFile, request, extensions, certFile] = ['key', 'csr', 'ext', 'pem'].map((ending) => `${base}.${ending}`);
		openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${names[0]}`,
			'-keyout', keyFile, '-out', request);
		fs.writeFileSync(extensions, `subjectAltName=${names.map(alternative).join(',')}\n`);
		openssl('x509', '-req', '-in', request, '-CA', this.file, '-CAkey', this.key, '-CAcreateserial', '-days', days,
			'-extfile', extensions, '-out', certFile);
		return { keyFile, certFile, key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) };
	}
}

// A certificate that nobody stands for but itself: {keyFile, certFile}.
export function selfSigned(name) {
	const dir = scratchDir('tls');
	const [keyFile, certFile] = ['key', 'pem'].map((ending) => path.join(dir, ending));
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
		'-addext', `subjectAltName=${alternative(name)}`, '-keyout', keyFile, '-out', certFile);
	return { keyFile, certFile };
}
