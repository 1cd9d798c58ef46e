/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging_internal.h"

#include <stdio.h>
#include <string.h>

#define BATCH       64
#define SUFFIX_HEX  16 /* of a part's name, behind the upload's id */

/* ---- memory ---- */

int staging_new(struct staging **ret, struct err *e)
{
	struct staging *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(e);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->left, NULL);
	*ret = s;
	return 0;
}

static void upload_unref(struct staging_upload *u)
{
	if (--u->refs == 0)
		free(u);
}

void staging_part_unref(struct staging_part *p)
{
	if (--p->refs > 0)
		return;
	upload_unref(p->upload);
	free(p->path);
	free(p);
}

/* The list's reference is the caller's then. */
static void take_from_list(struct staging_upload *u, struct staging_part *p)
{
	struct staging_part **at = &u->parts;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	u->parts_n--;
}

static void unlist_part(struct staging_upload *u, struct staging_part *p)
{
	take_from_list(u, p);
	staging_part_unref(p);
}

void staging_free(struct staging *s)
{
	if (!s)
		return;
	for (struct staging_upload *u = s->uploads, *next; u; u = next) {
		next = u->next;
		while (u->parts)
			unlist_part(u, u->parts);
		upload_unref(u);
	}
	(void)pthread_cond_destroy(&s->left);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static int upload_new_row(const char *id, const char *model, struct staging_upload **ret,
	struct err *e)
{
	struct staging_upload *u = calloc(1, sizeof(*u));

	if (!u)
		return err_nomem(e);
	u->refs = 1;
	(void)snprintf(u->id, sizeof(u->id), "%s", id);
	(void)snprintf(u->model, sizeof(u->model), "%s", model);
	*ret = u;
	return 0;
}

static void list(struct staging *s, struct staging_upload *u)
{
	u->next = s->uploads;
	s->uploads = u;
}

static struct staging_upload *find(struct staging *s, const char *id)
{
	struct staging_upload *u = s->uploads;

	while (u && strcmp(u->id, id) != 0)
		u = u->next;
	return u;
}

int staging_find(struct registry *r, const char *id, bool open, struct staging_upload **ret,
	struct err *e)
{
	struct staging_upload *u = find(r->staging, id);

	if (!u || u->expires_ms <= clock_now_ms())
		return err_set(e, ERR_UPLOAD_NOT_FOUND,
			"there is no upload %.*s, or it has expired", CATALOG_UPLOAD_ID, id);
	if (open && u->version > 0)
		return err_set(e, ERR_CONFLICT, "upload %s was published as %s@%llu", u->id,
			u->model, (unsigned long long)u->version);
	*ret = u;
	return 0;
}

struct staging_part *staging_find_part(struct staging_upload *u, struct str path)
{
	struct staging_part *p = u->parts;

	while (p && (p->dead || !str_eq_c(path, p->path)))
		p = p->next;
	return p;
}

int staging_part_add(struct staging_upload *u, struct str path, const char *name,
	struct staging_part **ret, struct err *e)
{
	struct staging_part *p = calloc(1, sizeof(*p));
	char suffix[SUFFIX_HEX + 1];

	if (!p)
		return err_nomem(e);
	p->path = str_dup(path);
	if (!p->path || (!name && digest_random_hex(suffix, SUFFIX_HEX, e) < 0)) {
		int r = p->path ? -(int)e->code : err_nomem(e);
		free(p->path);
		free(p);
		return r;
	}
	if (name)
		(void)snprintf(p->name, sizeof(p->name), "%s", name);
	else
		(void)snprintf(p->name, sizeof(p->name), "%s.%s", u->id, suffix);
	p->refs = 2;
	p->upload = u;
	u->refs++;
	p->next = u->parts;
	u->parts = p;
	u->parts_n++;
	*ret = p;
	return 0;
}

/* ---- limits ---- */

static uint64_t parts_bytes(const struct staging_upload *u)
{
	uint64_t sum = 0;

	for (const struct staging_part *p = u->parts; p; p = p->next)
		sum += p->charged; /* each was checked against the limits */
	return sum;
}

static int check_file(const struct registry_options *o, const struct staging_part *p, uint64_t n,
	struct err *e)
{
	uint64_t max = strcmp(p->path, FILEPATH_MODEL) == 0 &&
			o->max_model_json_bytes < o->max_file_bytes ? o->max_model_json_bytes
								    : o->max_file_bytes;
	char text[NUM_SIZE_TEXT];
	uint64_t sum;

	if (num_add(p->charged, n, &sum) && sum <= max)
		return 0;
	return err_set(e, ERR_TOO_LARGE, "%s is larger than %s, the limit for one file", p->path,
		num_format_size(max, text));
}

static int check_upload(const struct registry *r, const struct registry_options *o,
	const struct staging_part *p, uint64_t n, struct err *e)
{
	char text[NUM_SIZE_TEXT];
	uint64_t sum;

	if (!num_add(p->upload->files_bytes + parts_bytes(p->upload), n, &sum) ||
		sum > o->max_version_bytes)
		return err_set(e, ERR_TOO_LARGE,
			"with %s the files together are larger than %s, the limit", p->path,
			num_format_size(o->max_version_bytes, text));
	if (!num_add(r->staging->bytes, n, &sum) || sum > o->max_upload_bytes)
		return err_set(e, ERR_STORAGE_FULL,
			"the open uploads together have %s, the limit: publish or delete one",
			num_format_size(o->max_upload_bytes, text));
	return 0;
}

int staging_charge(struct registry *r, const struct registry_options *limits,
	struct staging_part *p, uint64_t n, struct err *e)
{
	int x = check_file(limits, p, n, e);

	if (x == 0)
		x = check_upload(r, limits, p, n, e);
	if (x < 0)
		return x;
	p->charged += n;
	r->staging->bytes += n;
	return 0;
}

/* What belongs to an upload that is published or gone is not counted any more. */
static bool is_counted(const struct registry *r, const struct staging_upload *u)
{
	return u->version == 0 && find(r->staging, u->id) == u;
}

void staging_discharge(struct registry *r, struct staging_part *p, uint64_t n)
{
	p->charged -= n;
	if (is_counted(r, p->upload))
		r->staging->bytes -= n;
}

void staging_file_changed(struct registry *r, struct staging_upload *u, uint64_t old_size,
	uint64_t size)
{
	u->expires_ms = clock_now_ms() + registry_limits_now(r).upload_age_ms;
	u->files_bytes += size - old_size;
	if (is_counted(r, u))
		r->staging->bytes += size - old_size;
}

struct catalog_upload_change staging_change(struct registry *r, const char *id, const char *path)
{
	const struct registry_options o = registry_limits_now(r);

	return (struct catalog_upload_change){
		.id = id,
		.path = path,
		.age_ms = o.upload_age_ms,
		.max_files = o.max_version_files,
	};
}

int staging_path(struct str path, char buf[CATALOG_PATH_MAX + 1], struct err *e)
{
	struct str stripped = filepath_strip(path);
	int r = filepath_check(stripped, e);

	if (r < 0)
		return r;
	memcpy(buf, stripped.p, stripped.n);
	buf[stripped.n] = '\0';
	return 0;
}

/* ---- opening and dropping ---- */

int staging_model(struct registry *r, const char *id, char name[CATALOG_NAME_MAX + 1],
	struct err *e)
{
	struct staging_upload *u;
	int x;

	staging_lock(r);
	x = staging_find(r, id, false, &u, e);
	if (x == 0)
		memcpy(name, u->model, sizeof(u->model));
	staging_unlock(r);
	return x;
}

size_t staging_count(struct registry *r)
{
	size_t n = 0;

	staging_lock(r);
	for (const struct staging_upload *u = r->staging->uploads; u; u = u->next)
		n += u->version == 0;
	staging_unlock(r);
	return n;
}

int staging_create(struct registry *r, const char *model, char *id, struct err *e)
{
	const struct registry_options o = registry_limits_now(r);
	struct staging_upload *u = NULL;
	int x = registry_require_space(r, e);

	if (x == 0)
		x = digest_random_hex(id, CATALOG_UPLOAD_ID, e);
	if (x == 0)
		x = upload_new_row(id, model, &u, e);
	if (x < 0)
		return x;
	x = catalog_upload_add(r->catalog, id, model, o.upload_age_ms, o.max_uploads, e);
	if (x < 0) {
		free(u);
		return x;
	}
	u->expires_ms = clock_now_ms() + o.upload_age_ms;
	staging_lock(r);
	list(r->staging, u);
	staging_unlock(r);
	return 0;
}

int staging_read(struct registry *r, const char *id, struct catalog_upload **ret, struct err *e)
{
	struct staging_upload *u;
	int x;

	staging_lock(r);
	x = staging_find(r, id, false, &u, e);
	staging_unlock(r);
	return x < 0 ? x : catalog_upload(r->catalog, id, ret, e);
}

/* Without its list nobody finds it; who writes to it learns that it is gone. */
static void forget(struct registry *r, struct staging_upload *u)
{
	struct staging_upload **at = &r->staging->uploads;

	if (u->version == 0)
		r->staging->bytes -= u->files_bytes + parts_bytes(u);
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
}

/* The writers first let go; then the names can be removed. */
static void remove_parts(struct registry *r, struct staging_upload *u)
{
	struct err ignored;

	staging_lock(r);
	while (u->parts) {
		struct staging_part *p = u->parts;
		struct blob_writer *out = staging_part_take_over(p);
		uint64_t size;

		staging_unlock(r);
		if (out)
			(void)blob_writer_leave(out, &size, &ignored);
		(void)blobs_part_remove(r->blobs, p->name, &ignored);
		staging_lock(r);
		unlist_part(u, p);
	}
	staging_unlock(r);
}

int staging_drop(struct registry *r, const char *id, struct err *e)
{
	struct staging_upload *u;
	int x = REGISTRY_WITH_BALLAST(r, catalog_upload_drop(r->catalog, id, e));

	if (x < 0 && x != -(int)ERR_UPLOAD_NOT_FOUND)
		return x;
	staging_lock(r);
	u = find(r->staging, id);
	if (u)
		forget(r, u);
	staging_unlock(r);
	if (!u)
		return x;
	remove_parts(r, u);
	staging_lock(r);
	upload_unref(u);
	staging_unlock(r);
	return x;
}

void staging_published(struct registry *r, const char *id, uint64_t version)
{
	struct staging_upload *u;

	staging_lock(r);
	u = find(r->staging, id);
	if (u && u->version == 0) {
		r->staging->bytes -= u->files_bytes + parts_bytes(u);
		u->version = version;
	}
	staging_unlock(r);
}

/* ---- upkeep ---- */

/* One that nobody has open and nobody wants, with a reference; it counts as open now. */
static struct staging_part *claim_dead(struct staging_upload *u)
{
	struct staging_part *p = u ? u->parts : NULL;

	while (p && !(p->dead && !p->written))
		p = p->next;
	if (!p)
		return NULL;
	p->refs++;
	p->written = true;
	return p;
}

static bool is_listed(const struct staging_upload *u, const struct staging_part *p)
{
	const struct staging_part *at = u->parts;

	while (at && at != p)
		at = at->next;
	return at != NULL;
}

/* A file that resists is tried again another time. */
void staging_reap(struct registry *r, const char *id)
{
	bool again = true;

	while (again) {
		struct staging_part *p;
		struct err ignored;

		staging_lock(r);
		p = claim_dead(find(r->staging, id));
		staging_unlock(r);
		if (!p)
			return;
		again = blobs_part_remove(r->blobs, p->name, &ignored) == 0;
		staging_lock(r);
		p->written = false;
		if (again && is_listed(p->upload, p)) {
			staging_discharge(r, p, p->charged);
			take_from_list(p->upload, p);
			p->refs--; /* the list's; the claim's is left */
		}
		staging_part_unref(p);
		staging_unlock(r);
	}
}

static bool has_writer(const struct staging_upload *u)
{
	for (const struct staging_part *p = u->parts; p; p = p->next)
		if (p->written)
			return true;
	return false;
}

/* The next behind `id` in no order but that of the list; false at its end. */
static bool next_id(struct registry *r, size_t index, char *id, bool *ret_expired)
{
	struct staging_upload *u;

	staging_lock(r);
	u = r->staging->uploads;
	while (u && index-- > 0)
		u = u->next;
	if (u) {
		memcpy(id, u->id, sizeof(u->id));
		*ret_expired = u->expires_ms <= clock_now_ms() && !has_writer(u);
	}
	staging_unlock(r);
	return u != NULL;
}

/* A file that resisted when its upload was dropped. An upload is known before it has a file. */
static int judge_stray(void *cls, const char *name, uint64_t size, struct err *e)
{
	struct registry *r = cls;
	char id[CATALOG_UPLOAD_ID + 1];
	bool known;

	(void)size;
	(void)snprintf(id, sizeof(id), "%s", name);
	staging_lock(r);
	known = find(r->staging, id) != NULL;
	staging_unlock(r);
	return known ? 0 : blobs_part_remove(r->blobs, name, e);
}

/* One that resists does not keep the others; the first failure is the answer. */
int staging_sweep(struct registry *r, struct err *e)
{
	char id[CATALOG_UPLOAD_ID + 1];
	struct err later;
	bool expired;
	int x = 0;

	for (size_t i = 0; next_id(r, i, id, &expired);) {
		int one = expired ? staging_drop(r, id, x < 0 ? &later : e) : 0;
		if (!expired)
			staging_reap(r, id);
		if (!expired || (one < 0 && one != -(int)ERR_UPLOAD_NOT_FOUND))
			i++;
		if (x == 0 && one < 0 && one != -(int)ERR_UPLOAD_NOT_FOUND)
			x = one;
	}
	int y = blobs_parts(r->blobs, judge_stray, r, x < 0 ? &later : e);
	return x < 0 ? x : y;
}

/* ---- the start ---- */

static int load_part(struct staging_upload *u, const struct catalog_upload_part *row, struct err *e)
{
	struct staging_part *p;
	int r = staging_part_add(u, str_of(row->path), row->name, &p, e);

	if (r < 0)
		return r;
	p->size = row->size;
	p->acked = row->size;
	p->recorded = true;
	p->charged = row->size;
	p->dead = true; /* until its file is found */
	staging_part_unref(p);
	return 0;
}

static int load_upload(struct registry *r, const char *id, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *row = NULL;
	struct staging_upload *u;
	int x = catalog_upload(r->catalog, id, &row, e);

	if (x == 0)
		x = upload_new_row(id, row->model, &u, e);
	if (x < 0)
		return x;
	u->expires_ms = row->expires_ms;
	u->version = row->version;
	list(r->staging, u);
	for (size_t i = 0; i < row->files_n; i++)
		u->files_bytes += row->files[i].size;
	for (size_t i = 0; x == 0 && i < row->parts_n; i++)
		x = load_part(u, &row->parts[i], e);
	if (u->version == 0)
		r->staging->bytes += u->files_bytes + parts_bytes(u);
	return x;
}

static struct staging_part *part_named(struct registry *r, const char *name)
{
	for (struct staging_upload *u = r->staging->uploads; u; u = u->next)
		for (struct staging_part *p = u->parts; p; p = p->next)
			if (strcmp(p->name, name) == 0)
				return p;
	return NULL;
}

static int judge_file(void *cls, const char *name, uint64_t size, struct err *e)
{
	struct registry *r = cls;
	struct staging_part *p = part_named(r, name);

	if (!p || size < p->size)
		return blobs_part_remove(r->blobs, name, e);
	p->dead = false;
	return 0;
}

/* No other thread is there yet. */
int staging_start(struct registry *r, struct err *e)
{
	struct catalog_upload_id ids[BATCH];
	char after[CATALOG_UPLOAD_ID + 1] = "";
	size_t n = BATCH;
	int x = 0;

	while (x == 0 && n == BATCH) {
		x = catalog_uploads(r->catalog, after, ids, BATCH, &n, e);
		for (size_t i = 0; x == 0 && i < n; i++)
			x = load_upload(r, ids[i].text, e);
		if (x == 0 && n > 0)
			memcpy(after, ids[n - 1].text, sizeof(after));
	}
	return x < 0 ? x : blobs_parts(r->blobs, judge_file, r, e);
}
