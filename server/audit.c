/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit.h"
#include "common/base/actor.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/registry/registry.h"
#include "common/store/catalog_audit.h"
#include "server/api/api_audit.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#define PAGE      500u
#define EVENT_MAX 8192u /* bytes of a printed one */

static void print_text(const struct catalog_audit_event *x, struct buf *out)
{
	char at[CLOCK_TEXT];

	buf_addf(out, "%" PRIu64 "  %s  %s  ", x->sequence, clock_rfc3339(x->changed_ms, at),
		x->kind);
	buf_add_str(out, x->model);
	if (x->model[0] && x->item[0])
		buf_add_char(out, '@');
	buf_addf(out, "%s  by %s", x->item, x->who[0] ? x->who : "-");
	/* Without a token who is the address. */
	if (x->address[0] && strcmp(x->address, x->who) != 0)
		buf_addf(out, " from %s", x->address);
	if (x->request[0])
		buf_addf(out, " (%s)", x->request);
	buf_add_char(out, '\n');
}

static int print(const struct catalog_audit_event *rows, size_t n, bool json, struct err *e)
{
	CLEANUP_BUF struct buf out = BUF_INIT(PAGE * EVENT_MAX);

	for (size_t i = 0; i < n; i++)
		(json ? api_audit_line : print_text)(&rows[i], &out);
	return fsio_print(&out, e);
}

static int print_all(struct catalog *c, uint64_t since, bool json, struct err *e)
{
	CLEANUP_FREE struct catalog_audit_event *rows = calloc(PAGE, sizeof(*rows));
	size_t n = PAGE;
	int r = 0;

	if (!rows)
		return err_nomem(e);
	while (r == 0 && n == PAGE) {
		r = catalog_audit_read(c, since, rows, PAGE, &n, e);
		if (r < 0 || n == 0)
			return r;
		since = rows[n - 1].sequence;
		r = print(rows, n, json, e);
	}
	return r;
}

int audit_run(const struct options *o, struct err *e)
{
	const struct registry_options options = {.dir = o->config.store_dir};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	int r = registry_open_beside(&options, &registry, e);

	return r < 0 ? r : print_all(registry_catalog(registry), o->since, o->json, e);
}

void audit_begin(enum options_verb verb)
{
	static char who[CATALOG_WHO_MAX + 1], what[CATALOG_AUDIT_REQUEST + 1];
	static const struct actor actor = {who, "", what};
	const struct passwd *user = getpwuid(getuid());

	(void)snprintf(who, sizeof(who), "%s (uid %lu)", user ? user->pw_name : "-",
		(unsigned long)getuid());
	(void)snprintf(what, sizeof(what), "modeld %s", options_verb_name(verb));
	actor_set(&actor);
}
