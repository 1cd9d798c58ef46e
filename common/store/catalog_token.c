/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_token.h"
#include "common/store/catalog_ops.h"
#include "common/store/catalog_retry.h"

int catalog_token_add(struct catalog *c, const struct catalog_token *t, struct err *e)
{
	return CATALOG_RETRY(c->ops->token_add(c->engine, t, e));
}

int catalog_token_remove(struct catalog *c, const char *id, struct err *e)
{
	return CATALOG_RETRY(c->ops->token_remove(c->engine, id, e));
}

int catalog_token_list(struct catalog *c, bool wait, struct catalog_tokens *ret, struct err *e)
{
	if (wait)
		return CATALOG_RETRY(c->ops->token_list(c->engine, true, ret, e));
	return c->ops->token_list(c->engine, false, ret, e);
}

void catalog_token_list_done(struct catalog_tokens *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].grants);
	free(list->items);
	*list = (struct catalog_tokens){NULL, 0};
}

int catalog_token_use(struct catalog *c, const struct catalog_token_use *rows, size_t n,
	struct err *e)
{
	return n == 0 ? 0 : CATALOG_RETRY(c->ops->token_use(c->engine, rows, n, e));
}

void catalog_token_watch(struct catalog *c)
{
	c->ops->token_watch(c->engine);
}

uint64_t catalog_token_mark(struct catalog *c)
{
	return c->ops->token_mark(c->engine);
}

int catalog_token_key(struct catalog *c, const uint8_t fresh[SECRET_BYTES],
	uint8_t ret[SECRET_BYTES], bool *ret_found, struct err *e)
{
	return CATALOG_RETRY(c->ops->token_key(c->engine, fresh, ret, ret_found, e));
}
