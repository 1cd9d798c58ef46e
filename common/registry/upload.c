/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/registry/upload_archive.h"
#include "common/registry/upload_expect.h"
#include "common/registry/upload_internal.h"
#include "common/registry/upload_paths.h"
#include "common/registry/upload_scan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FIRST_FILES       8
#define SPACE_CHECK_BYTES (64 * MIB)

int upload_new(struct registry *r, const char *name, struct upload **ret, struct err *e)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return err_nomem(e);
	assert(strlen(name) < sizeof(u->name));
	memcpy(u->name, name, strlen(name) + 1);
	u->registry = r;
	u->most_bytes = UINT64_MAX;
	u->limits = registry_limits_get(r);
	u->budget.max_bytes = u->limits->o.max_version_bytes;
	u->budget.max_files = u->limits->o.max_version_files;
	*ret = u;
	return 0;
}

const char *upload_name(const struct upload *u)
{
	return u->name;
}

/* Only a refusal is an answer: when the catalog is busy the publish will tell. */
static int ask_for_room(struct upload *u, uint64_t bytes, struct err *e)
{
	int x = catalog_room(u->registry->catalog, &u->limits->o.models, u->name, bytes, false,
		&u->most_bytes, e);

	if (x < 0)
		u->most_bytes = UINT64_MAX;
	return x == -(int)ERR_QUOTA_FULL ? x : 0;
}

/* Without quotas a small publish need not ask. */
int upload_expect(struct upload *u, uint64_t bytes, struct err *e)
{
	if (bytes == 0 && u->limits->o.models.quotas_n == 0)
		return 0;
	return ask_for_room(u, bytes, e);
}

static int require_room(struct upload *u, size_t n, struct err *e)
{
	uint64_t bytes;

	if (!num_add(u->budget.used_bytes, n, &bytes))
		bytes = UINT64_MAX;
	return bytes <= u->most_bytes ? 0 : ask_for_room(u, bytes, e);
}

void upload_set_gate(struct upload *u, upload_gate_fn *gate, void *cls)
{
	u->gate = gate;
	u->gate_cls = cls;
}

int upload_set_label(struct upload *u, struct str label, const char *who, struct err *e)
{
	int r = ref_check_label(label, e);

	if (r < 0)
		return r;
	assert(strlen(who) < sizeof(u->who));
	memcpy(u->label, label.p, label.n);
	u->label[label.n] = '\0';
	memcpy(u->who, who, strlen(who) + 1);
	return 0;
}

int upload_set_source(struct upload *u, const char *url, const char *mirror, struct err *e)
{
	free(u->source_url);
	u->source_url = strdup(url);
	(void)snprintf(u->mirror, sizeof(u->mirror), "%s", mirror);
	return u->source_url ? 0 : err_nomem(e);
}

void upload_file_done(struct upload_file *f)
{
	blob_writer_free(f->writer);
	free(f->part_name);
	free(f->filename);
	free(f->path);
	*f = (struct upload_file){0};
}

int upload_file_load(const struct upload *u, const struct upload_file *f, struct blob **ret,
	struct err *e)
{
	if (f->writer)
		return blob_writer_load(f->writer, ret, e);
	return blobs_load(u->registry->blobs, &f->stored, f->size, ret, e);
}

int upload_file_read_at(const struct upload *u, const struct upload_file *f, uint64_t offset,
	void *buf, size_t n, struct err *e)
{
	if (f->writer)
		return blob_writer_read_at(f->writer, offset, buf, n, e);
	return blobs_read_at(u->registry->blobs, &f->stored, f->size, offset, buf, n, e);
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	registry_arrived(u->registry);
	upload_scan_free(u->scan); /* first: its thread reads the files */
	ingest_free(u->arriving);
	upload_archive_free(u->archive);
	upload_expect_free(u);
	for (size_t i = 0; i < u->files_cap; i++)
		upload_file_done(&u->files[i]);
	free(u->files);
	free(u->source_url);
	registry_limits_unref(u->limits);
	free(u);
}

int upload_remembered(const struct upload *u, struct err *e)
{
	if (u->failure.code != ERR_NONE)
		*e = u->failure;
	return -(int)u->failure.code;
}

int upload_remember(struct upload *u, int r, const struct err *e)
{
	if (r < 0)
		u->failure = *e;
	return r;
}

/* Slots behind files_n are always zeroed or hold the names of the file that is arriving. */
static int make_room(struct upload *u, struct err *e)
{
	size_t cap = u->files_cap ? 2 * u->files_cap : FIRST_FILES;
	struct upload_file *files;

	if (u->files_n < u->files_cap)
		return 0;
	files = reallocarray(u->files, cap, sizeof(*files));
	if (!files)
		return err_nomem(e);
	memset(files + u->files_cap, 0, (cap - u->files_cap) * sizeof(*files));
	u->files = files;
	u->files_cap = cap;
	return 0;
}

static int check_client_name(struct str name, struct err *e)
{
	if (name.n > FILEPATH_MAX)
		return err_set(e, ERR_BAD_PATH, "a part has a name of %zu bytes; the limit is %d",
			name.n, FILEPATH_MAX);
	if (name.n > 0 && memchr(name.p, '\0', name.n))
		return err_set(e, ERR_BAD_PATH, "a part has a NUL byte in its name");
	return 0;
}

static int name_file(struct upload_file *f, struct str part_name, struct str filename,
	struct err *e)
{
	int r = check_client_name(part_name, e);

	if (r == 0)
		r = check_client_name(filename, e);
	if (r < 0)
		return r;
	if (part_name.n == 0 && filename.n == 0)
		return err_set(e, ERR_BAD_MULTIPART, "a part has neither a name nor a filename");
	upload_file_done(f);
	f->part_name = str_dup(part_name);
	f->filename = str_dup(filename);
	return f->part_name && f->filename ? 0 : err_nomem(e);
}

static uint64_t limit_of(const struct upload *u, const char *called)
{
	const struct registry_options *o = &u->limits->o;

	if (strcmp(called, FILEPATH_MODEL) == 0 && o->max_model_json_bytes < o->max_file_bytes)
		return o->max_model_json_bytes;
	return o->max_file_bytes;
}

static int begin(struct upload *u, struct str part_name, struct str filename, struct err *e)
{
	struct ingest_limits limits;
	int r = make_room(u, e);

	if (r == 0)
		r = name_file(&u->files[u->files_n], part_name, filename, e);
	if (r == 0)
		r = registry_require_space(u->registry, e);
	if (r < 0)
		return r;
	limits.what = upload_paths_called(&u->files[u->files_n]);
	limits.max_bytes = limit_of(u, limits.what);
	return ingest_open(u->registry->blobs, &limits, &u->budget, &u->arriving, e);
}

int upload_file_begin(struct upload *u, struct str part_name, struct str filename, struct err *e)
{
	int r = upload_remembered(u, e);

	assert(r < 0 || !u->arriving);
	return r < 0 ? r : upload_remember(u, begin(u, part_name, filename, e), e);
}

/* A disk that fills up while files arrive must not take the catalog's last bytes. */
int upload_watch_space(struct upload *u, size_t n, struct err *e)
{
	registry_arrived(u->registry);
	u->unchecked_bytes += n;
	if (u->unchecked_bytes < SPACE_CHECK_BYTES)
		return 0;
	u->unchecked_bytes = 0;
	return registry_require_space(u->registry, e);
}

int upload_file_write(struct upload *u, const void *bytes, size_t n, struct err *e)
{
	int r = upload_remembered(u, e);

	if (r < 0)
		return r;
	assert(u->arriving);
	r = upload_watch_space(u, n, e);
	if (r == 0)
		r = require_room(u, n, e);
	if (r == 0)
		r = ingest_write(u->arriving, bytes, n, e);
	if (r == 0)
		upload_scan_progress(u);
	return upload_remember(u, r, e);
}

int upload_file_end(struct upload *u, struct err *e)
{
	struct upload_file *f = u->files + u->files_n;
	int r = upload_remembered(u, e);

	if (r < 0)
		return r;
	assert(u->arriving);
	r = ingest_finish(u->arriving, &f->writer, &f->digest, &f->size, e);
	ingest_free(take_ptr(u->arriving));
	if (r == 0) {
		u->files_n++;
		upload_scan_progress(u);
	}
	return upload_remember(u, r, e);
}
