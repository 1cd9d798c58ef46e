/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_archive.h"
#include "common/model/filepath.h"

#include <assert.h>

/* Entries beside the files: directories, and what is skipped. */
#define SKIPPED_MAX 10000

struct upload_archive {
	enum archive_kind kind;
	struct ingest_budget budget; /* of the archive itself, which its caller bounds */
	struct ingest *arriving;
	struct blob_writer *writer; /* once it is whole */
	struct blob_reader *stored; /* instead of these two */
	uint64_t stored_size;
};

void upload_archive_free(struct upload_archive *a)
{
	if (!a)
		return;
	ingest_free(a->arriving);
	blob_writer_free(a->writer);
	blob_reader_close(a->stored);
	free(a);
}

DEFINE_CLEANUP(struct upload_archive, upload_archive_free)

/* ---- arriving ---- */

static int begin(struct upload *u, enum archive_kind kind, struct err *e)
{
	CLEANUP(upload_archive_free_p) struct upload_archive *a = calloc(1, sizeof(*a));
	const struct ingest_limits limits = {.max_bytes = UINT64_MAX, .what = "the archive"};
	int r = registry_require_space(u->registry, e);

	if (r < 0)
		return r;
	if (!a)
		return err_nomem(e);
	a->kind = kind;
	a->budget = (struct ingest_budget){.max_bytes = UINT64_MAX, .max_files = 1};
	r = ingest_open(u->registry->blobs, &limits, &a->budget, &a->arriving, e);
	if (r < 0)
		return r;
	u->from_archive = true;
	u->archive = take_ptr(a);
	return 0;
}

int upload_archive_begin(struct upload *u, enum archive_kind kind, struct err *e)
{
	int r = upload_remembered(u, e);

	assert(r < 0 || (!u->archive && !u->arriving && u->files_n == 0));
	return r < 0 ? r : upload_remember(u, begin(u, kind, e), e);
}

int upload_archive_write(struct upload *u, const void *bytes, size_t n, struct err *e)
{
	int r = upload_remembered(u, e);

	if (r < 0)
		return r;
	assert(u->archive && u->archive->arriving);
	r = upload_watch_space(u, n, e);
	if (r == 0)
		r = ingest_write(u->archive->arriving, bytes, n, e);
	return upload_remember(u, r, e);
}

static int begin_stored(struct upload *u, enum archive_kind kind, const struct blob_key *key,
	uint64_t size, struct err *e)
{
	CLEANUP(upload_archive_free_p) struct upload_archive *a = calloc(1, sizeof(*a));
	int r = a ? 0 : err_nomem(e);

	if (r == 0)
		r = blobs_reader_open(u->registry->blobs, key, size, &a->stored, e);
	if (r < 0)
		return r;
	a->kind = kind;
	a->stored_size = size;
	u->from_archive = true;
	u->archive = take_ptr(a);
	return 0;
}

int upload_archive_stored(struct upload *u, enum archive_kind kind, const struct blob_key *key,
	uint64_t size, struct err *e)
{
	return upload_remember(u, begin_stored(u, kind, key, size, e), e);
}

/* ---- unpacking ---- */

static int on_begin(void *cls, struct str name, struct err *e)
{
	struct upload *u = cls;
	struct str path = filepath_strip(name);
	int r = filepath_check(path, e);

	if (r < 0)
		return err_prefix(e, "the entry \"%.*s\"", name.n < 200 ? (int)name.n : 200,
			name.p);
	return upload_file_begin(u, STR_LIT(""), path, e);
}

static int on_data(void *cls, const void *bytes, size_t n, struct err *e)
{
	return upload_file_write(cls, bytes, n, e);
}

static int on_end(void *cls, struct err *e)
{
	return upload_file_end(cls, e);
}

static int on_read(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	return blob_writer_read_at(cls, at, to, n, e);
}

static int on_read_stored(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	return blob_reader_read(cls, at, to, n, e);
}

static int open_source(struct upload_archive *a, struct archive_source *ret, struct err *e)
{
	struct digest ignored;
	int r;

	if (a->stored) {
		*ret = (struct archive_source){
			.n = a->stored_size, .read = on_read_stored, .cls = a->stored};
		return 0;
	}
	*ret = (struct archive_source){.read = on_read};
	r = ingest_finish(a->arriving, &a->writer, &ignored, &ret->n, e);
	ret->cls = a->writer;
	return r;
}

static int unpack(struct upload *u, struct err *e)
{
	static const struct archive_files files = {on_begin, on_data, on_end};
	const struct archive_limits limits = {
		.max_entries = u->limits->o.max_version_files + SKIPPED_MAX,
		.max_expansion = u->limits->o.max_expansion,
	};
	struct archive_source source;
	int r = open_source(u->archive, &source, e);

	if (r < 0)
		return r;
	r = archive_unpack(u->archive->kind, &source, &limits, &files, u, e);
	if (r == 0 && u->files_n == 0)
		return err_set(e, ERR_BAD_ARCHIVE, "there is no file in the archive");
	return r;
}

int upload_archive_unpack(struct upload *u, struct err *e)
{
	int r = upload_remembered(u, e);

	if (r < 0 || !u->archive)
		return r;
	r = upload_remember(u, unpack(u, e), e);
	upload_archive_free(take_ptr(u->archive));
	return r;
}
