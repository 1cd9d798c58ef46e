/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_export.h"
#include "common/ingest/targz.h"
#include "common/model/filepath.h"
#include "common/registry/registry_internal.h"

#include <stdio.h>

_Static_assert(FILEPATH_MAX <= TARGZ_PATH_MAX, "an archive takes every path of a version");

struct registry_export {
	struct registry *registry;
	struct catalog_version *v;
	struct targz_file *files; /* paths are those of `v` */
	struct targz *targz;
	uint64_t size;
	struct blob_reader *open; /* the file under way, or NULL */
	struct digest_ctx *hash;  /* of it, so far */
};

static int check_known(const struct catalog_version *v, struct err *e)
{
	for (size_t i = 0; i < v->files_n; i++) {
		int r = registry_check_file(v, &v->files[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_file(struct registry_export *x, const struct catalog_version_file *file,
	struct err *e)
{
	int r = blobs_reader_open(x->registry->blobs, &file->key, file->size, &x->open, e);

	return r == -(int)ERR_CORRUPT ? registry_deleted_since(x->registry, x->v, e) : r;
}

/* Reads of the file fail from now on, in the catalog's memory too: `e` says why. */
static int found_damaged(struct registry_export *x, const struct catalog_version_file *file,
	const struct digest *found, struct err *e)
{
	char hex[DIGEST_HEX + 1], key[BLOB_KEY_TEXT];
	struct err later;
	bool is_new;

	(void)err_set(e, ERR_CORRUPT, "blobs/.../%s has other bytes, with SHA-256 %s; it is "
		"%s of %s@%llu", blob_key_text(&file->key, key), digest_hex(found, hex),
		file->path, x->v->model, (unsigned long long)x->v->version);
	(void)catalog_damage_add(x->registry->catalog, &file->key, e->text, &is_new, &later);
	return -(int)e->code;
}

static int close_file(struct registry_export *x, const struct catalog_version_file *file,
	struct err *e)
{
	struct digest found;
	int r = digest_ctx_finish(x->hash, &found, e);

	blob_reader_close(take_ptr(x->open));
	if (r == 0 && !digest_eq(&found, &file->key.digest))
		r = found_damaged(x, file, &found, e);
	return r;
}

static int read_file(void *cls, size_t i, uint64_t at, void *to, size_t n, struct err *e)
{
	struct registry_export *x = cls;
	const struct catalog_version_file *file = &x->v->files[i];
	int r = at == 0 ? open_file(x, file, e) : 0;

	if (r == 0)
		r = blob_reader_read(x->open, at, to, n, e);
	if (r == 0)
		r = digest_ctx_update(x->hash, to, n, e);
	if (r == 0 && at + n == file->size)
		r = close_file(x, file, e);
	return r;
}

static int begin(struct registry_export *x, struct err *e)
{
	const struct catalog_version *v = x->v;
	int r = check_known(v, e);

	x->files = calloc(v->files_n + 1, sizeof(*x->files));
	if (r == 0 && !x->files)
		r = err_nomem(e);
	for (size_t i = 0; r == 0 && i < v->files_n; i++)
		x->files[i] = (struct targz_file){v->files[i].path, v->files[i].size};
	if (r == 0)
		r = digest_ctx_new(&x->hash, e);
	return r == 0 ? targz_new(x->files, v->files_n, read_file, x, &x->targz, e) : r;
}

int registry_export_new(struct registry *r, struct catalog_version *v,
	struct registry_export **ret, struct err *e)
{
	CLEANUP(registry_export_free_p) struct registry_export *x = calloc(1, sizeof(*x));

	if (!x) {
		catalog_version_free(v);
		return err_nomem(e);
	}
	x->registry = r;
	x->v = v;
	int result = begin(x, e);
	if (result < 0)
		return result;
	x->size = targz_left(x->targz);
	*ret = take_ptr(x);
	return 0;
}

void registry_export_free(struct registry_export *x)
{
	if (!x)
		return;
	targz_free(x->targz);
	blob_reader_close(x->open);
	digest_ctx_free(x->hash);
	catalog_version_free(x->v);
	free(x->files);
	free(x);
}

uint64_t registry_export_size(const struct registry_export *x)
{
	return x->size;
}

int registry_export_read(struct registry_export *x, void *to, size_t n, struct err *e)
{
	return targz_read(x->targz, to, n, e);
}

const char *registry_export_etag(const struct digest *root, char buf[REGISTRY_EXPORT_ETAG])
{
	char hex[DIGEST_HEX + 1];

	(void)snprintf(buf, REGISTRY_EXPORT_ETAG, "\"%s-%s\"", TARGZ_FORMAT,
		digest_hex(root, hex));
	return buf;
}
