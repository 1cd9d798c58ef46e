/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_sqlite_label.h"
#include "common/base/num.h"
#include "common/store/catalog_sqlite_change.h"
#include "common/store/catalog_sqlite_read.h"

#include <string.h>

#define LABEL_COLUMNS "label, version, revision, moved"

/* ---- reading ---- */

static int copy_text(struct catalog_sqlite_query *q, int column, char *out, size_t max,
	struct err *e)
{
	const char *text = catalog_sqlite_conn_col_text(q, column);
	size_t n = strlen(text);

	if (n > max)
		return err_set(e, ERR_CORRUPT,
			"the catalog holds a text of %zu bytes where %zu fit", n, max);
	memcpy(out, text, n + 1);
	return 0;
}

static int take_label(struct catalog_sqlite_query *q, struct catalog_label *ret, struct err *e)
{
	ret->version = catalog_sqlite_conn_col_uint(q, 1);
	ret->revision = catalog_sqlite_conn_col_uint(q, 2);
	ret->moved_ms = catalog_sqlite_conn_col_uint(q, 3);
	return copy_text(q, 0, ret->label, CATALOG_LABEL_MAX, e);
}

static int find(struct catalog_sqlite_conn *c, const char *model, const char *label,
	struct catalog_label *ret, bool *ret_found, struct err *e)
{
	static const char sql[] =
		"SELECT " LABEL_COLUMNS " FROM labels WHERE model = $1 AND label = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_text(&q, "$2", label);
	r = catalog_sqlite_conn_row(&q, ret_found, e);
	return r == 0 && *ret_found ? take_label(&q, ret, e) : r;
}

static int no_label(struct catalog_sqlite_conn *c, const char *model, const char *label,
	struct err *e)
{
	uint64_t newest;
	int r = catalog_sqlite_read_newest(c, model, &newest, e);

	if (r < 0)
		return r;
	if (newest == 0)
		return catalog_sqlite_read_all_deleted(model, e);
	return err_set(e, ERR_LABEL_NOT_FOUND, "model %s has no label %s", model, label);
}

int catalog_sqlite_label_read(struct catalog_sqlite_conn *c, const char *model, const char *label,
	struct catalog_label *ret, struct err *e)
{
	bool found;
	int r = find(c, model, label, ret, &found, e);

	return r == 0 && !found ? no_label(c, model, label, e) : r;
}

int catalog_sqlite_label_list(struct catalog_sqlite_conn *c, const char *model,
	struct catalog_label *rows, size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT " LABEL_COLUMNS " FROM labels WHERE model = $1 ORDER BY label LIMIT $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;
	bool row = true;
	int r = 0;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", CATALOG_LABELS_OF_MODEL);
	while (r == 0 && row) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row && n < CATALOG_LABELS_OF_MODEL)
			r = take_label(&q, &rows[n++], e);
	}
	*ret_n = n;
	return r;
}

static int take_change(struct catalog_sqlite_query *q, struct catalog_label_change *ret,
	struct err *e)
{
	ret->revision = catalog_sqlite_conn_col_uint(q, 0);
	ret->moved_ms = catalog_sqlite_conn_col_uint(q, 1);
	ret->from = catalog_sqlite_conn_col_uint(q, 2);
	ret->to = catalog_sqlite_conn_col_uint(q, 3);
	return copy_text(q, 4, ret->who, CATALOG_WHO_MAX, e);
}

int catalog_sqlite_label_history(struct catalog_sqlite_conn *c, const char *model,
	const char *label, uint64_t below, struct catalog_label_change *rows, size_t max,
	size_t *ret_n, struct err *e)
{
	static const char sql[] =
		"SELECT revision, moved, old_version, new_version, who FROM label_moves"
		" WHERE model = $1 AND label = $2 AND revision < $3"
		" ORDER BY revision DESC LIMIT $4";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	size_t n = 0;
	bool row = true;
	int r = 0;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_text(&q, "$2", label);
	catalog_sqlite_conn_uint(&q, "$3", below ? below : NUM_SAFE_INTEGER_MAX);
	catalog_sqlite_conn_uint(&q, "$4", max);
	while (r == 0 && row) {
		r = catalog_sqlite_conn_row(&q, &row, e);
		if (r == 0 && row && n < max)
			r = take_change(&q, &rows[n++], e);
	}
	*ret_n = n;
	return r;
}

/* ---- moving ---- */

static int next_revision(struct catalog_sqlite_conn *c, const char *model, uint64_t *ret,
	struct err *e)
{
	static const char sql[] =
		"UPDATE models SET label_revision = label_revision + 1 WHERE name = $1"
		" RETURNING label_revision";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (!row)
		return err_set(e, ERR_MODEL_NOT_FOUND, "there is no model called %s", model);
	*ret = catalog_sqlite_conn_col_uint(&q, 0);
	return catalog_sqlite_conn_run(&q, e);
}

/* One of the model's revisions is one row, so the bound is on the numbers. */
static int trim_history(struct catalog_sqlite_conn *c, const char *model, uint64_t revision,
	struct err *e)
{
	static const char sql[] = "DELETE FROM label_moves WHERE model = $1 AND revision <= $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	if (revision <= CATALOG_LABEL_MOVES_OF_MODEL)
		return 0;
	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", revision - CATALOG_LABEL_MOVES_OF_MODEL);
	return catalog_sqlite_conn_run(&q, e);
}

struct change {
	uint64_t revision;
	uint64_t from, to;
};

static int record(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	const struct change *x, struct err *e)
{
	static const char sql[] =
		"INSERT INTO label_moves"
		" (model, revision, label, moved, who, old_version, new_version)"
		" VALUES ($1, $2, $3, now_ms(), $4, $5, $6)";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	int r;

	catalog_sqlite_conn_text(&q, "$1", m->model);
	catalog_sqlite_conn_uint(&q, "$2", x->revision);
	catalog_sqlite_conn_text(&q, "$3", m->label);
	catalog_sqlite_conn_text(&q, "$4", m->who);
	catalog_sqlite_conn_uint(&q, "$5", x->from);
	catalog_sqlite_conn_uint(&q, "$6", x->to);
	r = catalog_sqlite_conn_run(&q, e);
	if (r == 0)
		r = trim_history(c, m->model, x->revision, e);
	if (r < 0)
		return r;
	return catalog_sqlite_change_add(c, x->to > 0 ? "label-moved" : "label-dropped", m->model,
		m->label, e);
}

static int set(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	uint64_t revision, struct err *e)
{
	static const char sql[] =
		"INSERT INTO labels (model, label, version, revision, moved)"
		" VALUES ($1, $2, $3, $4, now_ms())"
		" ON CONFLICT (model, label) DO UPDATE SET version = excluded.version,"
		" revision = excluded.revision, moved = excluded.moved";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", m->model);
	catalog_sqlite_conn_text(&q, "$2", m->label);
	catalog_sqlite_conn_uint(&q, "$3", m->version);
	catalog_sqlite_conn_uint(&q, "$4", revision);
	return catalog_sqlite_conn_run(&q, e);
}

static int require_room(struct catalog_sqlite_conn *c, const char *model, struct err *e)
{
	static const char sql[] = "SELECT COUNT(*) FROM labels WHERE model = $1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0)
		return r;
	if (catalog_sqlite_conn_col_uint(&q, 0) < CATALOG_LABELS_OF_MODEL)
		return 0;
	return err_set(e, ERR_CONFLICT, "model %s has %d labels, which is the most: drop one first",
		model, CATALOG_LABELS_OF_MODEL);
}

/* Whoever saw another revision must not decide over this one. */
static int require_expected(const struct catalog_label_move *m, const struct catalog_label *now,
	bool exists, struct err *e)
{
	uint64_t revision = exists ? now->revision : 0;

	if (!m->expected || *m->expected == revision)
		return 0;
	if (!exists)
		return err_set(e, ERR_PRECONDITION_FAILED, "model %s has no label %s", m->model,
			m->label);
	return err_set(e, ERR_PRECONDITION_FAILED,
		"the label %s of model %s has moved: it names version %llu", m->label, m->model,
		(unsigned long long)now->version);
}

static int move(struct catalog_sqlite_conn *c, const struct catalog_label_move *m, uint64_t from,
	struct err *e)
{
	struct change x = {.from = from, .to = m->version};
	int r = next_revision(c, m->model, &x.revision, e);

	if (r == 0)
		r = set(c, m, x.revision, e);
	return r < 0 ? r : record(c, m, &x, e);
}

int catalog_sqlite_label_move(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	struct catalog_label *ret, bool *ret_created, struct err *e)
{
	struct catalog_label now = {.version = 0};
	bool exists = false;
	int r = catalog_sqlite_read_require_live(c, m->model, m->version, e);

	if (r == 0)
		r = find(c, m->model, m->label, &now, &exists, e);
	if (r == 0)
		r = require_expected(m, &now, exists, e);
	if (r == 0 && !exists)
		r = require_room(c, m->model, e);
	if (r == 0 && now.version != m->version)
		r = move(c, m, now.version, e);
	if (r == 0)
		r = find(c, m->model, m->label, ret, &(bool){false}, e);
	*ret_created = !exists;
	return r;
}

/* ---- dropping ---- */

static int remove_row(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	struct err *e)
{
	static const char sql[] = "DELETE FROM labels WHERE model = $1 AND label = $2";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);

	catalog_sqlite_conn_text(&q, "$1", m->model);
	catalog_sqlite_conn_text(&q, "$2", m->label);
	return catalog_sqlite_conn_run(&q, e);
}

static int drop(struct catalog_sqlite_conn *c, const struct catalog_label_move *m, uint64_t from,
	struct err *e)
{
	struct change x = {.from = from, .to = 0};
	int r = next_revision(c, m->model, &x.revision, e);

	if (r == 0)
		r = remove_row(c, m, e);
	return r < 0 ? r : record(c, m, &x, e);
}

int catalog_sqlite_label_drop(struct catalog_sqlite_conn *c, const struct catalog_label_move *m,
	struct err *e)
{
	struct catalog_label now = {.version = 0};
	int r = catalog_sqlite_label_read(c, m->model, m->label, &now, e);

	if (r == 0)
		r = require_expected(m, &now, true, e);
	return r < 0 ? r : drop(c, m, now.version, e);
}

int catalog_sqlite_label_drop_all(struct catalog_sqlite_conn *c, const char *model,
	const char *who, struct err *e)
{
	CLEANUP_FREE struct catalog_label *rows = calloc(CATALOG_LABELS_OF_MODEL, sizeof(*rows));
	size_t n = 0;
	int r;

	if (!rows)
		return err_nomem(e);
	r = catalog_sqlite_label_list(c, model, rows, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = drop(c,
			&(struct catalog_label_move){
				.model = model, .label = rows[i].label, .who = who},
			rows[i].version, e);
	return r;
}

int catalog_sqlite_label_require_none(struct catalog_sqlite_conn *c, const char *model,
	uint64_t version, struct err *e)
{
	static const char sql[] =
		"SELECT label FROM labels WHERE model = $1 AND version = $2 ORDER BY label LIMIT 1";
	CATALOG_SQLITE_QUERY q = catalog_sqlite_conn_query(c, sql);
	bool row;
	int r;

	catalog_sqlite_conn_text(&q, "$1", model);
	catalog_sqlite_conn_uint(&q, "$2", version);
	r = catalog_sqlite_conn_row(&q, &row, e);
	if (r < 0 || !row)
		return r;
	return err_set(e, ERR_CONFLICT,
		"the label %s names version %llu of model %s: move or drop it first",
		catalog_sqlite_conn_col_text(&q, 0), (unsigned long long)version, model);
}
