/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_internal.h"

/* A list too long for the catalog is cut in halves until it fits: its first findings say most. */
static int write_errors(const struct findings *f, struct buf *out, struct err *e)
{
	struct json_write w;
	size_t n = f->n;

	for (;;) {
		buf_clear(out);
		json_write_init(&w, out);
		findings_write_first(f, n, &w, NULL);
		if (!buf_failed(out) || n == 0)
			return buf_check(out, "the findings", e);
		n /= 2;
	}
}

int registry_reject(struct registry *r, const char *name, const struct err *why,
	const struct findings *f, const char *request_id, struct err *e)
{
	CLEANUP_BUF struct buf errors = BUF_INIT(CATALOG_REJECTION_ERRORS_MAX);
	int x = write_errors(f, &errors, e);

	if (x == 0)
		x = registry_require_space(r, e);
	if (x < 0)
		return x;
	return catalog_reject(r->catalog,
		&(struct catalog_reject){
			.model = name,
			.status = (unsigned)err_status(why->code),
			.code = err_name(why->code),
			.detail = why->text,
			.errors = buf_str(&errors),
			.request_id = request_id,
		}, e);
}
