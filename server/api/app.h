/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers share: pointers to the parts of the running daemon. Made by server/modeld.c, handed
 * to httpd_start() as its `app`. What changes while requests run says so; the rest is constant.
 *
 * There is no configuration here. Each part has what it needs of it in a form of its own and is
 * told when that changes: registry_limits.h, authority.h, importer.h, httpd.h, and the rules
 * below. */
#pragma once

#include "common/base/snapshot.h"
#include "common/registry/registry.h"

#include <stdatomic.h>

struct access_log;
struct api_cache;
struct api_near;
struct api_openapi;
struct api_reload;
struct authority;
struct importer;
struct tally;

struct app {
	struct snapshot_cell rules; /* api_rules.h */
	struct registry *registry;
	struct authority *authority;
	struct api_cache *cache;
	struct api_near *near; /* its loops' own */
	struct api_openapi *openapi;
	struct importer *importer;
	struct access_log *_Atomic access; /* NULL: no access lines; comes and goes */
	struct tally *tally;
	struct api_reload *reload;
};
