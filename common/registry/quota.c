/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/quota.h"
#include "common/base/num.h"
#include "common/model/ref.h"

#define EXPECTED "expected PREFIX=SIZE, as in team-a=10GiB"
#define SHOWN    "%.80s" /* a setting has been checked for control characters, not for its length */

static int add(struct quota_list *q, struct str prefix, uint64_t bytes, struct err *e)
{
	char *copy = str_dup(prefix);

	if (!copy)
		return err_nomem(e);
	q->items[q->n++] = (struct catalog_quota){.prefix = copy, .bytes = bytes};
	return 0;
}

static int read_prefix(const char *setting, struct str *prefix, const struct quota_list *q,
	struct err *e)
{
	if (prefix->n > 0 && prefix->p[prefix->n - 1] == '/')
		prefix->n--;
	if (ref_check_name(*prefix, e) < 0) {
		e->code = ERR_CONFIG;
		return err_prefix(e, SHOWN, setting);
	}
	for (size_t i = 0; i < q->n; i++)
		if (str_eq_c(*prefix, q->items[i].prefix))
			return err_set(e, ERR_CONFIG, "%s is set twice", q->items[i].prefix);
	return 0;
}

static int read_setting(const char *setting, struct quota_list *q, struct err *e)
{
	struct str size = str_of(setting), prefix;
	uint64_t bytes;
	int r;

	if (!str_split(&size, '=', &prefix) || !size.p || !num_parse_size(size.p, &bytes))
		return err_set(e, ERR_CONFIG, SHOWN ": " EXPECTED, setting);
	r = read_prefix(setting, &prefix, q, e);
	return r < 0 ? r : add(q, prefix, bytes, e);
}

int quota_read(char *const *settings, size_t n, uint64_t store_bytes, struct quota_list *ret,
	struct err *e)
{
	struct quota_list q = {.items = calloc(n + 1, sizeof(*q.items))};
	int r = q.items ? 0 : err_nomem(e);

	if (r == 0 && store_bytes > 0)
		r = add(&q, STR_LIT(""), store_bytes, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_setting(settings[i], &q, e);
	if (r < 0)
		quota_done(&q);
	else
		*ret = q;
	return r;
}

void quota_done(struct quota_list *q)
{
	for (size_t i = 0; i < q->n; i++)
		free((char *)(uintptr_t)q->items[i].prefix);
	free(q->items);
	*q = (struct quota_list){.items = NULL};
}
