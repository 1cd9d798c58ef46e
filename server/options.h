/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of modeld, and the configuration that comes out of it. */
#pragma once

#include "common/base/log.h"
#include "common/config/config.h"
#include "common/model/finding_policy.h"
#include "common/registry/quota.h"
#include "common/registry/retention.h"
#include "server/options_token.h"

enum options_verb {
	OPTIONS_SERVE,
	OPTIONS_BACKUP,
	OPTIONS_RESTORE,
	OPTIONS_FSCK,
	OPTIONS_PRUNE,
	OPTIONS_GC,
	OPTIONS_SCRUB,
	OPTIONS_AUDIT,
	OPTIONS_TOKEN, /* the last one that does something */
	/* These only print; options_print() has their text. */
	OPTIONS_CHECK_CONFIG,
	OPTIONS_RULES,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_verb verb;
	/* In force: defaults, files, environment, command line, store.dir resolved (but for RULES).
	 * Not read for HELP and VERSION, which work whatever the configuration is like. */
	struct config config;
	struct finding_policy rules; /* validation.rules */
	struct quota_list quotas;    /* limits.store, limits.quotas */
	struct retention retention;  /* retention.rules */
	bool changed;                /* of CHECK_CONFIG: only what somebody has set */
	bool json;                   /* of RULES, AUDIT and a list of TOKEN: for programs */
	uint64_t since;              /* of AUDIT: the number of a change; 0: all */
	bool dry_run;                /* of GC and PRUNE */
	bool quick;                  /* of FSCK */
	struct options_token token;  /* of TOKEN */
	bool has_rate;               /* of SCRUB: store.scrub_rate is that of --rate */
	const char *dir;             /* of BACKUP and RESTORE; points into argv */
	const char *config_path; /* of --config, or the default one; points into argv or static */
	const char *port_file;   /* NULL: none; points into argv */
};

/* All that main() needs. True: do what ret->verb says. False: what was asked for has been printed,
 * or an error has, in one line on standard error; *ret_status is for exit(): 0, 64 (EX_USAGE), 78
 * (EX_CONFIG) or 1. argv may be reordered. `env` is the environment, NULL terminated. Not thread
 * safe (getopt). */
bool options_parse(int argc, char **argv, char *const *env, struct options *ret, int *ret_status);
void options_done(struct options *o);

/* "scrub" */
const char *options_verb_name(enum options_verb verb);
enum log_level options_log_level(const struct options *o); /* log.level */
enum log_style options_log_style(const struct options *o); /* log.format */

/* The steps of options_parse(), without a terminal. ERR_BAD_PARAMETER: argv makes no sense;
 * ERR_CONFIG: the configuration does not. */
int options_read(int argc, char **argv, char *const *env, struct options *ret, struct err *e);
void options_print(const struct options *o, struct buf *out);
