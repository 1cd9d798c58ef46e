/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/holders.h"
#include "common/store/catalog_variant.h"

#define HOLDERS_MAX 256

int holders_any(struct catalog *c, const struct digest *of,
	bool (*may)(const void *cls, const char *model), const void *cls, bool *ret, struct err *e)
{
	struct catalog_name holders[HOLDERS_MAX];
	size_t n = 0;
	int r = catalog_variant_models(c, of, holders, HOLDERS_MAX, &n, e);

	*ret = false;
	for (size_t i = 0; r == 0 && i < n && !*ret; i++)
		*ret = may(cls, holders[i].text);
	return r;
}
