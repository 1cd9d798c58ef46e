/* SPDX-License-Identifier: Apache-2.0 */
/* config.def as data: what the other files of this folder walk over. Not for use outside of it. */
#pragma once

#include "common/base/str.h"

enum config_kind {
	CONFIG_KIND_LIST,
	CONFIG_KIND_TEXT,
	CONFIG_KIND_UINT,
	CONFIG_KIND_SIZE,
	CONFIG_KIND_TIME,
	CONFIG_KIND_BOOL,
	CONFIG_KIND_WORD,
};

struct config_option {
	const char *section;
	const char *key;
	const char *def;
	const char *help;
	const char *words; /* of CONFIG_KIND_WORD: "a|b|c" */
	uint64_t min, max; /* of numbers */
	size_t field;      /* its offset in struct config */
	enum config_kind kind;
	bool pairs;        /* of CONFIG_KIND_LIST: the words are NAME=VALUE */
	bool at_reload;    /* a changed value counts from a reload on, not only from a start */
};

enum {
#define CONFIG_LIST(section, key, when, def, help)            CONFIG_TABLE_##section##_##key,
#define CONFIG_PAIRS(section, key, when, def, help)           CONFIG_TABLE_##section##_##key,
#define CONFIG_TEXT(section, key, when, def, help)            CONFIG_TABLE_##section##_##key,
#define CONFIG_UINT(section, key, when, def, min, max, help)  CONFIG_TABLE_##section##_##key,
#define CONFIG_SIZE(section, key, when, def, min, max, help)  CONFIG_TABLE_##section##_##key,
#define CONFIG_TIME(section, key, when, def, min, max, help)  CONFIG_TABLE_##section##_##key,
#define CONFIG_BOOL(section, key, when, def, help)            CONFIG_TABLE_##section##_##key,
#define CONFIG_WORD(section, key, when, def, words, help)     CONFIG_TABLE_##section##_##key,
#include "common/config/config.def"
#undef CONFIG_LIST
#undef CONFIG_PAIRS
#undef CONFIG_TEXT
#undef CONFIG_UINT
#undef CONFIG_SIZE
#undef CONFIG_TIME
#undef CONFIG_BOOL
#undef CONFIG_WORD
	CONFIG_TABLE_N
};

extern const struct config_option config_table[CONFIG_TABLE_N];

/* The spellings of an option: "http", "timeout", "http.timeout", "MODELD_HTTP_TIMEOUT". */
enum config_spelling {
	CONFIG_SPELLING_SECTION,
	CONFIG_SPELLING_KEY,
	CONFIG_SPELLING_DOTTED,
	CONFIG_SPELLING_ENV,
};

/* `buf` holds CONFIG_TABLE_NAME bytes; returns it. */
#define CONFIG_TABLE_NAME 64
const char *config_table_name(const struct config_option *o, enum config_spelling s, char *buf);

/* The option of that name, of any section (NULL) or of one; or NULL. */
const struct config_option *config_table_find(enum config_spelling s, const char *section,
	struct str name);

/* Among the same, the one whose name is nearest to a misspelt `name`, or NULL when none is near. */
const struct config_option *config_table_nearest(enum config_spelling s, const char *section,
	struct str name);

/* The first row of a section. */
static inline bool config_table_opens_section(size_t i)
{
	return i == 0 || strcmp(config_table[i].section, config_table[i - 1].section) != 0;
}
