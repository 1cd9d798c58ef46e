/* SPDX-License-Identifier: Apache-2.0 */
/* What of the configuration the importer goes by, as it is for one job from its beginning to its
 * end. The fetcher is part of it: its addresses and connections are those of the same settings. */
#include "common/base/str.h"
#include "server/import/importer_internal.h"

static void free_list(struct config_list *l)
{
	for (size_t i = 0; l->items && i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

static int copy_list(const struct config_list *from, struct config_list *ret, struct err *e)
{
	ret->items = calloc(from->n + 1, sizeof(*ret->items));
	if (!ret->items)
		return err_nomem(e);
	for (; ret->n < from->n; ret->n++) {
		ret->items[ret->n] = str_dup(str_of(from->items[ret->n]));
		if (!ret->items[ret->n])
			return err_nomem(e);
	}
	return 0;
}

static void free_settings(struct snapshot *shared)
{
	struct importer_settings *s = (struct importer_settings *)shared;

	fetcher_stop(s->fetcher);
	address_list_free(s->allow);
	free_list(&s->sources);
	free(s);
}

static void copy_numbers(struct importer_settings *s, const struct config *c)
{
	s->limits_model_json = c->limits_model_json;
	s->limits_file = c->limits_file;
	s->limits_version = c->limits_version;
	s->limits_files = c->limits_files;
	s->import_jobs = c->import_jobs;
	s->import_queue = c->import_queue;
	s->import_transfers = c->import_transfers;
	s->import_connect_timeout = c->import_connect_timeout;
	s->import_file_timeout = c->import_file_timeout;
	s->import_timeout = c->import_timeout;
	s->import_min_rate = c->import_min_rate;
	s->import_min_rate_time = c->import_min_rate_time;
	s->import_attempts = c->import_attempts;
	s->import_keep = c->import_keep;
}

static int read_allow(const struct config *c, struct address_list **ret, struct err *e)
{
	if (address_list_parse((const char *const *)c->import_allow.items, c->import_allow.n, ret,
		e) < 0)
		return config_blame(c, "import.allow", e);
	return 0;
}

int importer_settings_check(const struct config *c, struct err *e)
{
	struct address_list *allow;
	int r = read_allow(c, &allow, e);

	if (r == 0)
		address_list_free(allow);
	return r;
}

static int start_fetcher(struct importer_settings *s, const struct config *c, struct err *e)
{
	int r = read_allow(c, &s->allow, e);

	if (r < 0)
		return r;
	if (c->import_jobs == 0)
		return 0;
	return fetcher_start(
		&(struct fetcher_options){
			.allow = s->allow,
			.max_connections = c->import_jobs * c->import_transfers,
			.max_per_host = c->import_transfers_per_host,
			.ca_file = c->import_ca_file[0] ? c->import_ca_file : NULL,
			.user_agent = "modeld/" PACKAGE_VERSION,
		},
		&s->fetcher, e);
}

int importer_settings_make(const struct config *c, const struct finding_policy *rules,
	struct importer_settings **ret, struct err *e)
{
	struct importer_settings *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	snapshot_init(&s->shared, free_settings);
	copy_numbers(s, c);
	s->rules = *rules;
	r = copy_list(&c->import_sources, &s->sources, e);
	if (r == 0)
		r = start_fetcher(s, c, e);
	if (r < 0)
		importer_settings_unref(s);
	else
		*ret = s;
	return r;
}

void importer_settings_unref(struct importer_settings *s)
{
	if (s)
		snapshot_unref(&s->shared);
}

struct importer_settings *importer_settings_get(struct importer *m)
{
	return (struct importer_settings *)snapshot_get(&m->settings);
}

bool importer_settings_same_sources(const struct importer_settings *a,
	const struct importer_settings *b)
{
	size_t i = 0;

	while (i < a->sources.n && i < b->sources.n &&
		strcmp(a->sources.items[i], b->sources.items[i]) == 0)
		i++;
	return i == a->sources.n && i == b->sources.n;
}

int importer_settings_new(struct importer *m, const struct config *c,
	const struct finding_policy *rules, struct importer_settings **ret, struct err *e)
{
	struct importer_settings *s;
	int r = importer_settings_make(c, rules, &s, e);

	if (r < 0)
		return r;
	r = importer_start_workers(m, s->import_jobs, e);
	if (r < 0)
		importer_settings_unref(s);
	else
		*ret = s;
	return r;
}

void importer_settings_put(struct importer *m, struct importer_settings *s)
{
	snapshot_set(&m->settings, &s->shared);
	bell_ring(&m->work);
	bell_ring(&m->beat);
}
