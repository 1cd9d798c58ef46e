/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: defaults, then /etc/modeld/modeld.conf and its conf.d/ *.conf in name order, then
 * the environment (MODELD_SECTION_KEY), then options of the command line. One table, config.def,
 * is the source of all of it. Errors are ERR_CONFIG and name file, line and key (or the variable,
 * or the option), what was found and what was expected.
 */
#pragma once

#include "common/base/buf.h"

#include <stdint.h>

struct config_list {
	char **items;
	size_t n;
};

struct config {
#define CONFIG_LIST(section, key, when, def, help)            struct config_list section##_##key;
#define CONFIG_PAIRS(section, key, when, def, help)           struct config_list section##_##key;
#define CONFIG_TEXT(section, key, when, def, help)            char *section##_##key;
#define CONFIG_UINT(section, key, when, def, min, max, help)  unsigned section##_##key;
#define CONFIG_SIZE(section, key, when, def, min, max, help)  uint64_t section##_##key;
#define CONFIG_TIME(section, key, when, def, min, max, help)  uint64_t section##_##key;
#define CONFIG_BOOL(section, key, when, def, help)            bool section##_##key;
#define CONFIG_WORD(section, key, when, def, words, help)     char *section##_##key;
#include "common/config/config.def"
#undef CONFIG_LIST
#undef CONFIG_PAIRS
#undef CONFIG_TEXT
#undef CONFIG_UINT
#undef CONFIG_SIZE
#undef CONFIG_TIME
#undef CONFIG_BOOL
#undef CONFIG_WORD
	/* Who said what: for each option, in the table's order, where its value comes from (NULL:
	 * it is the default), and the files that were read, in order. */
	char **origins;
	struct config_list files;
};

/* All defaults. */
int config_init(struct config *c, struct err *e);
void config_done(struct config *c);

/* One file, which must exist. */
int config_load_file(struct config *c, const char *path, struct err *e);
/* `path` and then every *.conf in the directory conf.d beside it; neither needs to exist. */
int config_load_default(struct config *c, const char *path, struct err *e);
/* MODELD_HTTP_LISTEN and so on; an unknown MODELD_ variable is an error, except those that
 * `known` (NULL terminated) lists. */
int config_load_env(struct config *c, char *const *env, const char *const *known, struct err *e);
/* "http.listen=..." from the command line; `origin` names who asks ("--listen"), for errors and for
 * config_print(). */
int config_set(struct config *c, const char *assignment, const char *origin, struct err *e);

/* For values that only their user can judge: put in front of the error where the value of the
 * option `name` ("validation.rules", which exists) comes from. Returns the error's code. */
int config_blame(const struct config *c, const char *name, struct err *e);

/* ---- for a reload ---- */

/* The keys whose values differ, "http.hosts, limits.file", appended: to `reload` those of which a
 * reload takes the new value over, to `restart` those of which a start does. */
void config_reload_compare(const struct config *a, const struct config *b, struct buf *reload,
	struct buf *restart);
/* `c` takes the place of `running`: what takes a restart stays as it is there, with where it comes
 * from. `running` gets what `c` had, and is to be done with. */
void config_reload_keep(struct config *c, struct config *running);

/* ---- to read ---- */

/* The configuration in force, as a file that would give it; comments say where values come from. */
void config_print(const struct config *c, struct buf *out);
/* The same of the keys alone that somebody has set, be it to their default. */
void config_print_changed(const struct config *c, struct buf *out);
/* The sample file: every key with its default, commented out, under its help. */
void config_print_sample(struct buf *out);
/* The section OPTIONS of modeld.conf(5), in man(7) macros. */
void config_print_man(struct buf *out);
/* For --help: one line an option. */
void config_print_help(struct buf *out);
