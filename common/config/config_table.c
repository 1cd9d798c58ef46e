/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config_table.h"
#include "common/base/text.h"
#include "common/config/config.h"

#include <stdio.h>

#define CONFIG_WHEN_RELOAD  true
#define CONFIG_WHEN_RESTART false

const struct config_option config_table[CONFIG_TABLE_N] = {
#define ROW(s, k, w, d, h, kind_, ...) \
	{.section = #s, \
		.key = #k, \
		.def = (d), \
		.help = (h), \
		.kind = CONFIG_KIND_##kind_, \
		.at_reload = CONFIG_WHEN_##w, \
		.field = offsetof(struct config, s##_##k), \
		__VA_ARGS__},
#define CONFIG_LIST(s, k, t, d, h)         ROW(s, k, t, d, h, LIST, .words = NULL)
#define CONFIG_PAIRS(s, k, t, d, h)        ROW(s, k, t, d, h, LIST, .pairs = true)
#define CONFIG_TEXT(s, k, t, d, h)         ROW(s, k, t, d, h, TEXT, .words = NULL)
#define CONFIG_UINT(s, k, t, d, lo, hi, h) ROW(s, k, t, d, h, UINT, .min = (lo), .max = (hi))
#define CONFIG_SIZE(s, k, t, d, lo, hi, h) ROW(s, k, t, d, h, SIZE, .min = (lo), .max = (hi))
#define CONFIG_TIME(s, k, t, d, lo, hi, h) ROW(s, k, t, d, h, TIME, .min = (lo), .max = (hi))
#define CONFIG_BOOL(s, k, t, d, h)         ROW(s, k, t, d, h, BOOL, .words = NULL)
#define CONFIG_WORD(s, k, t, d, w, h)      ROW(s, k, t, d, h, WORD, .words = (w))
#include "common/config/config.def"
};

static void shout(char *s)
{
	for (; *s; s++)
		if (str_is_lower(*s))
			*s = (char)(*s - 'a' + 'A');
}

const char *config_table_name(const struct config_option *o, enum config_spelling s, char *buf)
{
	switch (s) {
	case CONFIG_SPELLING_SECTION:
		(void)snprintf(buf, CONFIG_TABLE_NAME, "%s", o->section);
		break;
	case CONFIG_SPELLING_KEY:
		(void)snprintf(buf, CONFIG_TABLE_NAME, "%s", o->key);
		break;
	case CONFIG_SPELLING_DOTTED:
		(void)snprintf(buf, CONFIG_TABLE_NAME, "%s.%s", o->section, o->key);
		break;
	case CONFIG_SPELLING_ENV:
		(void)snprintf(buf, CONFIG_TABLE_NAME, "MODELD_%s_%s", o->section, o->key);
		shout(buf);
		break;
	}
	return buf;
}

static bool in_section(const struct config_option *o, const char *section)
{
	return !section || strcmp(o->section, section) == 0;
}

const struct config_option *config_table_find(enum config_spelling s, const char *section,
	struct str name)
{
	char known[CONFIG_TABLE_NAME];

	for (size_t i = 0; i < CONFIG_TABLE_N; i++)
		if (in_section(&config_table[i], section) &&
			str_eq_c(name, config_table_name(&config_table[i], s, known)))
			return &config_table[i];
	return NULL;
}

const struct config_option *config_table_nearest(enum config_spelling s, const char *section,
	struct str name)
{
	const struct config_option *nearest = NULL;
	char known[CONFIG_TABLE_NAME];
	size_t allowed = text_distance_allowed(name);

	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		if (!in_section(&config_table[i], section))
			continue;
		size_t d = text_distance(name,
			str_of(config_table_name(&config_table[i], s, known)));
		if (d > allowed || (nearest && d == allowed))
			continue;
		nearest = &config_table[i];
		allowed = d;
	}
	return nearest;
}
