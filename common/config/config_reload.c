/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload changes, and what it leaves as it is. */
#include "common/config/config.h"
#include "common/config/config_table.h"
#include "common/config/config_value.h"

static void add_name(const struct config_option *o, struct buf *out)
{
	char name[CONFIG_TABLE_NAME];

	buf_addf(out, "%s%s", out->len > 0 ? ", " : "",
		config_table_name(o, CONFIG_SPELLING_DOTTED, name));
}

void config_reload_compare(const struct config *a, const struct config *b, struct buf *reload,
	struct buf *restart)
{
	for (size_t i = 0; i < CONFIG_TABLE_N; i++)
		if (!config_value_eq(a, b, &config_table[i]))
			add_name(&config_table[i], config_table[i].at_reload ? reload : restart);
}

void config_reload_keep(struct config *c, struct config *running)
{
	for (size_t i = 0; i < CONFIG_TABLE_N; i++) {
		char *origin = c->origins[i];

		if (config_table[i].at_reload)
			continue;
		config_value_swap(c, running, &config_table[i]);
		c->origins[i] = running->origins[i];
		running->origins[i] = origin;
	}
}
