/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "common/model/rootdigest.h"
#include "common/registry/registry_fsck_forms.h"
#include "common/registry/registry_fsck_jobs.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_verify.h"

#include <limits.h>
#include <stdio.h>

#define FAULTS_MAX (1u << 20)

#define UPLOADS_BATCH 64

struct fsck {
	struct registry *registry;
	const struct registry_fsck *how;
	struct registry_fsck_result result;
	char model[CATALOG_NAME_MAX + 1]; /* whose versions are being checked */
};

static int tell(struct fsck *x, bool damage, const char *text, struct err *e)
{
	if (damage)
		x->result.damaged++;
	else
		x->result.left_over++;
	return x->how->tell ? x->how->tell(x->how->cls, damage, text, e) : 0;
}

/* ---- the catalog ---- */

static int check_catalog(struct fsck *x, struct err *e)
{
	CLEANUP_BUF struct buf faults = BUF_INIT(FAULTS_MAX), line = BUF_INIT(FAULTS_MAX);
	int r = catalog_check(x->registry->catalog, &faults, e);
	struct str rest = {buf_str(&faults), faults.len}, fault;

	while (r == 0 && str_split(&rest, '\n', &fault)) {
		if (fault.n == 0)
			continue;
		buf_clear(&line);
		buf_addf(&line, "the catalog: " STR_FMT, STR_ARG(fault));
		r = tell(x, true, buf_str(&line), e);
	}
	return r;
}

/* ---- what the catalog says is there ---- */

static int tell_blob(struct fsck *x, const struct catalog_blob *blob, const char *fault,
	struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	int r = registry_verify_line(x->registry, blob, fault, &line, e);

	return r < 0 ? r : tell(x, true, buf_str(&line), e);
}

static int check_blob(struct fsck *x, const struct catalog_blob *blob, struct err *e)
{
	const struct registry_verify how = {.quick = x->how->quick};
	char fault[REGISTRY_VERIFY_FAULT];
	int r = registry_verify_blob(x->registry, blob, &how, fault, e);

	x->result.blobs++;
	if (!num_add(x->result.bytes, blob->size, &x->result.bytes))
		x->result.bytes = UINT64_MAX;
	return r < 0 || !*fault ? r : tell_blob(x, blob, fault, e);
}

static int check_blobs(struct fsck *x, struct err *e)
{
	CLEANUP_FREE struct catalog_blob *rows = calloc(CATALOG_BLOBS_BATCH, sizeof(*rows));
	struct catalog_cursor at = {.started = false};
	int r = rows ? 0 : err_nomem(e);

	while (r == 0 && !at.ended) {
		size_t n = 0;
		r = catalog_blobs(x->registry->catalog, &at, rows, &n, e);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = check_blob(x, &rows[i], e);
	}
	return r;
}

static int tell_form(void *cls, const char *text, struct err *e)
{
	return tell(cls, true, text, e);
}

static int check_forms(struct fsck *x, struct err *e)
{
	const struct registry_fsck_forms how = {
		.quick = x->how->quick, .tell = tell_form, .cls = x};

	return registry_fsck_forms(x->registry, &how, e);
}

/* ---- what is there and the catalog does not know ---- */

/* In this order: a key that is unknown never becomes known, but one that was trash a moment ago is
 * unknown once its file is gone. */
static int check_name(void *cls, const struct blob_key *key, const char *name, struct err *e)
{
	struct fsck *x = cls;
	enum catalog_key_state state = CATALOG_KEY_UNKNOWN;
	char text[PATH_MAX + 64];
	int r = key ? catalog_key_state(x->registry->catalog, key, &state, e) : 0;

	if (r < 0 || state != CATALOG_KEY_UNKNOWN)
		return r;
	if (key && !blobs_exists(x->registry->blobs, key))
		return 0;
	(void)snprintf(text, sizeof(text), "blobs/%s is %s", name,
		key ? "in no catalog" : "no file of the store");
	return tell(x, false, text, e);
}

/* ---- uploads ---- */

/* A part belongs to the upload whose id its name begins with, also before the catalog has a row of
 * the part itself. */
static int check_part(void *cls, const char *name, uint64_t size, struct err *e)
{
	struct fsck *x = cls;
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	char id[CATALOG_UPLOAD_ID + 1], text[PATH_MAX + 64];
	struct err why;
	int r;

	(void)snprintf(id, sizeof(id), "%s", name);
	r = catalog_upload(x->registry->catalog, id, &u, &why);
	if (r == -(int)ERR_UPLOAD_NOT_FOUND) {
		(void)snprintf(text, sizeof(text), "uploads/%s is of no upload", name);
		return tell(x, false, text, e);
	}
	if (r < 0) {
		*e = why;
		return r;
	}
	for (size_t i = 0; i < u->parts_n; i++)
		if (strcmp(u->parts[i].name, name) == 0 && size < u->parts[i].size) {
			(void)snprintf(text, sizeof(text), "uploads/%s is shorter than it was",
				name);
			return tell(x, true, text, e);
		}
	return 0;
}

/* Whether the upload still has this part: it may have become a blob, or be gone with the upload. */
static int has_part(struct fsck *x, const char *id, const char *name, bool *ret, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	int r = catalog_upload(x->registry->catalog, id, &u, e);

	*ret = false;
	if (r == -(int)ERR_UPLOAD_NOT_FOUND)
		return 0;
	for (size_t i = 0; r == 0 && !*ret && i < u->parts_n; i++)
		*ret = strcmp(u->parts[i].name, name) == 0;
	return r;
}

/* A part leaves the catalog before its file goes: what is named after the file was looked for in
 * vain is lost. */
static int check_part_file(struct fsck *x, const struct catalog_upload *u,
	const struct catalog_upload_part *part, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(FAULTS_MAX);
	bool lost;
	int r;

	if (blobs_part_exists(x->registry->blobs, part->name))
		return 0;
	r = has_part(x, u->id, part->name, &lost, e);
	if (r < 0 || !lost)
		return r;
	buf_addf(&line, "uploads/%s is missing; it is %s of an upload to %s", part->name,
		part->path, u->model);
	return tell(x, true, buf_str(&line), e);
}

static int check_upload(struct fsck *x, const char *id, struct err *e)
{
	CLEANUP(catalog_upload_free_p) struct catalog_upload *u = NULL;
	int r = catalog_upload(x->registry->catalog, id, &u, e);

	if (r == -(int)ERR_UPLOAD_NOT_FOUND) /* meanwhile */
		return 0;
	for (size_t i = 0; r == 0 && i < u->parts_n; i++)
		r = check_part_file(x, u, &u->parts[i], e);
	return r;
}

static int check_uploads(struct fsck *x, struct err *e)
{
	struct catalog_upload_id ids[UPLOADS_BATCH];
	char after[CATALOG_UPLOAD_ID + 1] = "";
	size_t n = UPLOADS_BATCH;
	int r = 0;

	while (r == 0 && n == UPLOADS_BATCH) {
		r = catalog_uploads(x->registry->catalog, after, ids, UPLOADS_BATCH, &n, e);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = check_upload(x, ids[i].text, e);
		if (r == 0 && n > 0)
			memcpy(after, ids[n - 1].text, sizeof(after));
	}
	return r;
}

/* ---- jobs ---- */

static int tell_job(void *cls, bool damage, const char *text, struct err *e)
{
	return tell(cls, damage, text, e);
}

/* ---- versions ---- */

static int root_of(const struct catalog_version *v, struct digest *ret, struct err *e)
{
	CLEANUP_FREE struct rootdigest_file *lines = calloc(v->files_n + 1, sizeof(*lines));

	if (!lines)
		return err_nomem(e);
	for (size_t i = 0; i < v->files_n; i++)
		lines[i] = (struct rootdigest_file){
			.path = v->files[i].path,
			.digest = v->files[i].key.digest,
			.size = v->files[i].size,
		};
	return rootdigest_of(lines, v->files_n, ret, e);
}

static int check_version(void *cls, const struct catalog_version_row *row, struct err *e)
{
	struct fsck *x = cls;
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err why;
	char text[CATALOG_NAME_MAX + 128];
	struct digest root;
	int r = catalog_version(x->registry->catalog, x->model, row->version, &v, &why);

	if (r == -(int)ERR_DELETED) /* meanwhile */
		return 0;
	if (r < 0) {
		*e = why;
		return r;
	}
	x->result.versions++;
	r = root_of(v, &root, e);
	if (r < 0 || digest_eq(&root, &v->root))
		return r;
	(void)snprintf(text, sizeof(text),
		"%s@%llu does not have the files that it was published with", v->model,
		(unsigned long long)v->version);
	return tell(x, true, text, e);
}

static int check_model(void *cls, const struct catalog_model *m, struct err *e)
{
	struct fsck *x = cls;

	(void)snprintf(x->model, sizeof(x->model), "%s", m->name);
	return catalog_list_versions(x->registry->catalog, m->name, 0, SIZE_MAX, check_version, x,
		e);
}

/* ---- all of it ---- */

int registry_fsck(struct registry *r, const struct registry_fsck *how,
	struct registry_fsck_result *ret, struct err *e)
{
	struct fsck x = {.registry = r, .how = how};
	int result = check_catalog(&x, e);

	if (result == 0)
		result = catalog_list_models(r->catalog, "", "", SIZE_MAX, check_model, &x, e);
	if (result == 0)
		result = check_blobs(&x, e);
	if (result == 0)
		result = check_forms(&x, e);
	if (result == 0)
		result = blobs_list(r->blobs, check_name, &x, e);
	if (result == 0)
		result = blobs_parts(r->blobs, check_part, &x, e);
	if (result == 0)
		result = check_uploads(&x, e);
	if (result == 0)
		result = registry_fsck_jobs(r, tell_job, &x, e);
	*ret = x.result;
	return result;
}
