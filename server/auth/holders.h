/* SPDX-License-Identifier: Apache-2.0 */
/* Who knows the SHA-256 of a file does not have it: he is given it only out of a model that he may
 * read, or make versions of. */
#pragma once

#include "common/digest/digest.h"
#include "common/store/catalog.h"

/* Is there a model that has these bytes and for which `may` says so? Of very many that hold them
 * some are looked at; who is refused can send them. Blocks on the catalog. */
int holders_any(struct catalog *c, const struct digest *of,
	bool (*may)(const void *cls, const char *model), const void *cls, bool *ret, struct err *e);
