// SPDX-License-Identifier: Apache-2.0
// Tokens for tests: made with `modeld token` beside the daemon, as an operator does.

import assert from 'node:assert/strict';

import { runModeld } from './daemon.mjs';

export const TOKEN = /^mdl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

export const idOf = (token) => token.match(TOKEN)[1];
export const bearer = (token) => ({ authorization: `Bearer ${token}` });

// Give the options as to `modeld token create`: makeToken(daemon, '--scope', 'read').
export async function makeToken(daemon, ...options) {
	const { code, stdout, stderr } = await runModeld(['token', 'create', '--store', daemon.store, '--config',
		'/dev/null', ...options]);
	assert.equal(code, 0, stderr);
	const [token, rest] = stdout.split('\n');
	assert.match(token, TOKEN);
	assert.equal(rest, '', 'the token alone is printed');
	return token;
}

export async function revokeToken(daemon, token) {
	const { code, stderr } = await runModeld(['token', 'revoke', idOf(token), '--store', daemon.store, '--config',
		'/dev/null']);
	assert.equal(code, 0, stderr);
}
