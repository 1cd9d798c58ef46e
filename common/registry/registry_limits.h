/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a registry, which can change while it is open (common/base/snapshot.h). What is
 * under way, an upload or one file of a staged one, is judged by those that it began with. */
#pragma once

#include "common/base/snapshot.h"
#include "common/registry/registry.h"

struct registry_limits {
	struct snapshot shared;
	struct registry_options o; /* without `dir`; the quotas are its own */
};

/* For registry_limits_put(). What `o` points to is copied. */
int registry_limits_new(const struct registry_options *o, struct registry_limits **ret,
	struct err *e);
void registry_limits_unref(struct registry_limits *l); /* accepts NULL */
DEFINE_CLEANUP(struct registry_limits, registry_limits_unref)

/* They count for what begins from now on. Takes the reference over. Any thread. */
void registry_limits_put(struct registry *r, struct registry_limits *l);
/* Those in force, with a reference. Any thread; does not block. */
struct registry_limits *registry_limits_get(struct registry *r);
/* The same, copied, but for the quotas: those are in `*ret` none. */
struct registry_options registry_limits_now(struct registry *r);
