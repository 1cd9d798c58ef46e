/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers share: pointers to the parts of the running daemon. Made by server/modeld.c, handed
 * to httpd_start() as its `app`, constant while requests run. */
#pragma once

#include "common/config/config.h"
#include "common/registry/registry.h"

struct access_log;
struct api_cache;
struct api_near;
struct api_openapi;
struct authority;
struct importer;
struct tally;

struct app {
	const struct config *config;
	const struct finding_policy *rules;
	struct registry *registry;
	struct authority *authority;
	struct api_cache *cache;
	struct api_near *near; /* its loops' own */
	struct api_openapi *openapi;
	struct importer *importer;
	struct access_log *access; /* NULL: no access lines */
	struct tally *tally;
};
