/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings (RFC 9110 8.4.1) that representations are kept in, and which of them a request
 * gets (12.5.3). Pure.
 */
#pragma once

enum coding { /* a later one is smaller as a rule, and taken where a client does not care */
	CODING_IDENTITY,
	CODING_GZIP,
	CODING_BR,
	CODINGS_N, /* none */
};

#define CODING_BIT(coding) (1u << (coding))

/* The name in Content-Encoding: "gzip"; "identity" never stands there. */
const char *coding_name(enum coding coding);

/* The coding among `available` (bits) that Accept-Encoding wants most; CODINGS_N when it refuses
 * all of them. Without the header, NULL, it is identity if there is that: 12.5.3 allows any, but
 * who does not ask may not be able to decode. Identity is acceptable unless it is refused
 * ("identity;q=0", or "*;q=0" without identity), and last where it is not named. A member that is
 * malformed is as if it were not there; the first of several for one coding counts. */
enum coding coding_choose(const char *accept_encoding, unsigned available);
