/* SPDX-License-Identifier: Apache-2.0 */
/* Files on their way into an upload. */
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging_internal.h"

#include <string.h>

#define INTENT_MS         UINT64_C(3600000) /* from the intent to the commit */
#define SPACE_CHECK_BYTES (64 * MIB)

struct staging_writer {
	struct registry *registry;
	struct registry_limits *limits; /* of its beginning; a reference */
	struct staging_part *part;
	bool append;
	bool complete;
	bool has_content;
	bool has_whole;
	struct digest content;
	struct digest whole;
	struct digest_ctx *piece; /* of this body, where that is not the file; NULL for none */
	uint64_t base;            /* where it began */
	uint64_t unchecked;       /* bytes since the free space was looked at */
	bool failed;
	pthread_mutex_t lock;     /* of `out` */
	struct blob_writer *out;  /* NULL once another has it, or at the end */
};

struct blob_writer *staging_part_take_over(struct staging_part *p)
{
	struct staging_writer *w = p->writer;
	struct blob_writer *out;

	if (!w)
		return NULL;
	(void)pthread_mutex_lock(&w->lock);
	out = take_ptr(w->out);
	(void)pthread_mutex_unlock(&w->lock);
	p->writer = NULL;
	return out;
}

/* ---- beginning ---- */

static int writer_new(struct registry *r, const struct staging_write *how,
	struct staging_writer **ret, struct err *e)
{
	struct staging_writer *w = calloc(1, sizeof(*w));
	int x = w ? 0 : err_nomem(e);

	if (x == 0 && how->append && how->content)
		x = digest_ctx_new(&w->piece, e);
	if (x < 0) {
		free(w);
		return x;
	}
	w->registry = r;
	w->limits = registry_limits_get(r);
	w->append = how->append;
	w->complete = how->complete;
	w->has_content = how->content != NULL;
	w->has_whole = how->whole != NULL;
	if (how->content)
		w->content = *how->content;
	if (how->whole)
		w->whole = *how->whole;
	(void)pthread_mutex_init(&w->lock, NULL);
	*ret = w;
	return 0;
}

/* Only what was acknowledged can be gone on from. */
static int find_to_append(struct staging_upload *u, const struct staging_write *how,
	const char *path, struct staging_part **ret, uint64_t *ret_offset, struct err *e)
{
	struct staging_part *p = staging_find_part(u, str_of(path));

	if (!p)
		return err_set(e, ERR_CONFLICT,
			"%s is complete or was never begun: there is nothing to go on from", path);
	if (p->written)
		return err_set(e, ERR_CONFLICT,
			"another request writes %s: ask with HEAD how far it is, which ends that",
			path);
	if (p->acked != how->offset) {
		*ret_offset = p->acked;
		return err_set(e, ERR_CONFLICT, "%s goes on at Upload-Offset %llu, not %llu", path,
			(unsigned long long)p->acked, (unsigned long long)how->offset);
	}
	p->refs++;
	*ret = p;
	return 0;
}

static int begin_append(struct staging_writer *w, struct staging_upload *u,
	const struct staging_write *how, const char *path, uint64_t *ret_offset, struct err *e)
{
	struct registry *r = w->registry;
	int x = find_to_append(u, how, path, &w->part, ret_offset, e);

	if (x == 0)
		x = blobs_part_open(r->blobs, w->part->name, how->offset, &w->out, e);
	if (x < 0)
		return x;
	w->part->size = how->offset;
	staging_discharge(r, w->part, w->part->charged - how->offset);
	w->base = how->offset;
	return 0;
}

/* Whoever writes to the path now is too late; what it has written goes when the new file is
 * there. */
static int begin_anew(struct staging_writer *w, struct staging_upload *u, const char *path,
	struct err *e)
{
	struct registry *r = w->registry;
	struct staging_part *p = NULL, *old = staging_find_part(u, str_of(path));
	struct blob_writer *out = old ? staging_part_take_over(old) : NULL;
	struct err ignored;
	int x;

	if (out) {
		(void)blob_writer_leave(out, &old->size, &ignored);
		old->written = false;
	}
	if (u->parts_n >= w->limits->o.max_version_files)
		return err_set(e, ERR_TOO_LARGE, "%s is one file too many: the limit is %llu",
			path, (unsigned long long)w->limits->o.max_version_files);
	x = staging_part_add(u, str_of(path), NULL, &p, e);
	if (x < 0)
		return x;
	w->part = p;
	x = blobs_part_create(r->blobs, p->name, &w->out, e);
	if (x < 0)
		p->dead = true;
	return x;
}

/* Under the lock. */
static int begin(struct staging_writer *w, const struct staging_write *how, const char *path,
	uint64_t *ret_offset, struct err *e)
{
	struct registry *r = w->registry;
	struct staging_upload *u;
	int x = staging_find(r, how->id, true, &u, e);

	if (x == 0)
		x = how->append ? begin_append(w, u, how, path, ret_offset, e) :
				  begin_anew(w, u, path, e);
	if (x < 0)
		return x;
	w->part->writer = w;
	w->part->written = true;
	if (how->may_wait && how->length > 0)
		blob_writer_expect(w->out, how->length);
	x = staging_charge(r, &w->limits->o, w->part, how->length, e);
	if (x == 0)
		staging_discharge(r, w->part, how->length);
	w->failed = x < 0;
	return x;
}

int staging_write_begin(struct registry *r, const struct staging_write *how,
	struct staging_writer **ret, uint64_t *ret_offset, struct err *e)
{
	CLEANUP(staging_writer_free_p) struct staging_writer *w = NULL;
	char path[CATALOG_PATH_MAX + 1];
	int x = staging_path(how->path, path, e);

	*ret_offset = UINT64_MAX;
	if (x == 0)
		x = registry_require_space(r, e);
	if (x == 0)
		x = writer_new(r, how, &w, e);
	if (x < 0 || !w)
		return x;
	staging_lock(r);
	x = begin(w, how, path, ret_offset, e);
	staging_unlock(r);
	if (x == 0)
		*ret = take_ptr(w);
	return x;
}

/* ---- bytes ---- */

static int charge(struct staging_writer *w, size_t n, struct err *e)
{
	struct registry *r = w->registry;
	int x = 0;

	registry_arrived(r);
	w->unchecked += n;
	if (w->unchecked >= SPACE_CHECK_BYTES) {
		w->unchecked = 0;
		x = registry_require_space(r, e);
	}
	if (x < 0)
		return x;
	staging_lock(r);
	/* One that was taken over has nothing to add. */
	if (w->part->writer == w)
		x = staging_charge(r, &w->limits->o, w->part, n, e);
	staging_unlock(r);
	return x;
}

static int write_out(struct staging_writer *w, const void *bytes, size_t n, struct err *e)
{
	int x;

	(void)pthread_mutex_lock(&w->lock);
	x = w->out ? blob_writer_write(w->out, bytes, n, e) :
		     err_set(e, ERR_CONFLICT, "another request took over %s", w->part->path);
	(void)pthread_mutex_unlock(&w->lock);
	return x;
}

int staging_write(struct staging_writer *w, const void *bytes, size_t n, struct err *e)
{
	int x = charge(w, n, e);

	if (x == 0 && w->piece)
		x = digest_ctx_update(w->piece, bytes, n, e);
	if (x == 0)
		x = write_out(w, bytes, n, e);
	if (x < 0)
		w->failed = true;
	return x;
}

/* ---- letting go ---- */

/* The part is nobody's now and has `size` bytes; one that is not worth keeping is dead. */
static void settle(struct staging_writer *w, uint64_t size, bool keep)
{
	struct registry *r = w->registry;
	struct staging_part *p = w->part;

	staging_lock(r);
	if (p->writer == w)
		p->writer = NULL;
	p->written = false;
	p->leaving = false;
	(void)pthread_cond_broadcast(&r->staging->left);
	p->size = size;
	if (p->charged > size)
		staging_discharge(r, p, p->charged - size);
	p->dead = p->dead || !keep;
	staging_part_unref(p);
	staging_unlock(r);
	w->part = NULL;
}

/* Removes the part, or what a body that failed has added to it. */
static void undo(struct staging_writer *w, struct blob_writer *out)
{
	struct registry *r = w->registry;
	struct blob_writer *cut = NULL;
	struct err ignored;
	uint64_t size;

	if (w->base == 0 && !w->part->recorded) {
		blob_writer_free(out);
		return;
	}
	(void)blob_writer_leave(out, &size, &ignored);
	if (blobs_part_open(r->blobs, w->part->name, w->base, &cut, &ignored) == 0)
		(void)blob_writer_leave(cut, &size, &ignored);
}

/* What was there before a body that failed stays. */
static void let_go(struct staging_writer *w, struct blob_writer *out)
{
	struct registry *r = w->registry;
	char id[CATALOG_UPLOAD_ID + 1];
	uint64_t size = w->base;
	struct err ignored;

	memcpy(id, w->part->upload->id, sizeof(id));
	if (w->failed)
		undo(w, out);
	else if (blob_writer_leave(out, &size, &ignored) < 0)
		size = w->base;
	settle(w, size, size > 0 || w->part->recorded);
	staging_reap(r, id);
}

static void drop_part(struct staging_writer *w)
{
	struct registry *r = w->registry;

	staging_lock(r);
	staging_part_unref(w->part);
	staging_unlock(r);
}

void staging_writer_free(struct staging_writer *w)
{
	struct blob_writer *out = NULL;

	if (!w)
		return;
	registry_arrived(w->registry);
	if (w->part) {
		staging_lock(w->registry);
		if (w->part->writer == w)
			out = staging_part_take_over(w->part);
		w->part->leaving = w->part->leaving || out;
		staging_unlock(w->registry);
		if (out)
			let_go(w, out);
		else
			drop_part(w);
	}
	blob_writer_free(w->out);
	digest_ctx_free(w->piece);
	(void)pthread_mutex_destroy(&w->lock);
	registry_limits_unref(w->limits);
	free(w);
}

/* ---- the end of a body that does not end the file ---- */

static int bad_digest(const char *path, const char *which, const struct digest *found,
	struct err *e)
{
	char field[DIGEST_FIELD];

	return err_set(e, ERR_BAD_DIGEST, "the bytes of %s do not match %s: theirs is %s", path,
		which, digest_field(found, field));
}

static int check_piece(struct staging_writer *w, struct err *e)
{
	struct digest found;
	int x = w->piece ? digest_ctx_finish(w->piece, &found, e) : 0;

	if (x < 0 || !w->piece || digest_eq(&found, &w->content))
		return x;
	return bad_digest(w->part->path, "Content-Digest", &found, e);
}

static int keep_piece(struct staging_writer *w, struct blob_writer *out, uint64_t *ret_size,
	struct err *e)
{
	struct registry *r = w->registry;
	struct catalog_upload_change x =
		staging_change(r, w->part->upload->id, w->part->path);
	int result = check_piece(w, e);

	if (result == 0)
		result = blob_writer_sync(out, ret_size, e);
	if (result == 0)
		result = catalog_upload_set_part(r->catalog, &x, w->part->name, *ret_size, e);
	return result;
}

static int end_piece(struct staging_writer *w, struct blob_writer *out, struct staging_file *ret,
	struct err *e)
{
	struct registry *r = w->registry;
	uint64_t size = 0;
	int x = keep_piece(w, out, &size, e);

	w->failed = x < 0;
	if (x == 0) {
		staging_lock(r);
		w->part->acked = size;
		w->part->recorded = true;
		staging_file_changed(r, w->part->upload, 0, 0);
		staging_unlock(r);
		*ret = (struct staging_file){.offset = size};
		w->base = size;
	}
	let_go(w, out);
	return x;
}

/* ---- the end of a file ---- */

static int check_digests(struct staging_writer *w, const struct digest *found, struct err *e)
{
	int x = check_piece(w, e);

	if (x < 0)
		return x;
	if (w->has_content && !w->piece && !digest_eq(found, &w->content))
		return bad_digest(w->part->path, "Content-Digest", found, e);
	if (w->has_whole && !digest_eq(found, &w->whole))
		return bad_digest(w->part->path, "Repr-Digest", found, e);
	return 0;
}

static int store_blob(struct registry *r, struct blob_writer *out, const struct catalog_blob *blob,
	struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *there = NULL;
	int x;

	if (blob->exists)
		return blobs_open(r->blobs, &blob->key, blob->size, &there, e);
	x = blob_writer_link(out, &blob->key, e);
	return x < 0 ? x : blobs_sync(r->blobs, &blob->key, 1, e);
}

static int store_once(struct staging_writer *w, struct blob_writer *out, struct catalog_blob *blob,
	struct catalog_upload_changed *ret, struct err *e)
{
	struct registry *r = w->registry;
	struct catalog_upload_change change =
		staging_change(r, w->part->upload->id, w->part->path);
	struct err ignored;
	int x = catalog_stage(r->catalog, blob, 1, clock_now_ms() + INTENT_MS, e);

	if (x < 0)
		return x;
	x = store_blob(r, out, blob, e);
	if (x == 0)
		x = catalog_upload_put(r->catalog, &change, blob, ret, e);
	if (x < 0)
		(void)REGISTRY_WITH_BALLAST(r, catalog_unstage(r->catalog, blob, 1, &ignored));
	return x;
}

/* A collection that took the blob between the two steps is no reason to fail: the bytes are here.
 * One that is still live and cannot be opened is damaged, and found so again. */
static int store(struct staging_writer *w, struct blob_writer *out, struct catalog_blob *blob,
	struct catalog_upload_changed *ret, struct err *e)
{
	int x = store_once(w, out, blob, ret, e);

	if (!blob->exists || (x != -(int)ERR_BLOB_GONE && x != -(int)ERR_CORRUPT))
		return x;
	blob->needs_key = x == -(int)ERR_BLOB_GONE;
	return store_once(w, out, blob, ret, e);
}

/* The others of this path are of no use any more. */
static void supersede(struct staging_writer *w)
{
	struct staging_part *mine = w->part;

	for (struct staging_part *p = mine->upload->parts; p; p = p->next)
		if (p == mine || (!p->written && strcmp(p->path, mine->path) == 0))
			p->dead = true;
}

static void count(struct staging_writer *w, uint64_t size,
	const struct catalog_upload_changed *changed)
{
	struct registry *r = w->registry;

	staging_lock(r);
	supersede(w);
	staging_discharge(r, w->part, w->part->charged);
	staging_file_changed(r, w->part->upload, changed->old_size, size);
	staging_unlock(r);
}

/* An upload that was dropped meanwhile took the part's name along. */
static void explain(struct staging_writer *w, struct err *e)
{
	struct registry *r = w->registry;
	struct staging_upload *ignored;
	struct err gone;

	staging_lock(r);
	if (staging_find(r, w->part->upload->id, false, &ignored, &gone) < 0)
		*e = gone;
	staging_unlock(r);
}

/* A part whose bytes may have become a blob is never written to again. */
static int end_file(struct staging_writer *w, struct blob_writer *out, struct staging_file *ret,
	struct err *e)
{
	struct catalog_upload_changed changed = {.replaced = false};
	struct catalog_blob blob = {.size = 0};
	int x = blob_writer_finish(out, &blob.digest, &blob.size, e);

	if (x == 0)
		x = check_digests(w, &blob.digest, e);
	if (x < 0) {
		w->failed = true;
		let_go(w, out);
		return x;
	}
	x = store(w, out, &blob, &changed, e);
	if (x == 0) {
		count(w, blob.size, &changed);
	} else {
		explain(w, e);
		x = -(int)e->code;
	}
	blob_writer_free(out);
	settle(w, 0, false);
	*ret = (struct staging_file){.complete = true, .replaced = changed.replaced,
		.offset = blob.size, .digest = blob.digest, .key = blob.key};
	return x;
}

int staging_write_end(struct staging_writer *w, struct staging_file *ret, struct err *e)
{
	struct registry *r = w->registry;
	char id[CATALOG_UPLOAD_ID + 1];
	struct blob_writer *out;
	int x;

	staging_lock(r);
	memcpy(id, w->part->upload->id, sizeof(id));
	out = w->part->writer == w ? staging_part_take_over(w->part) : NULL;
	staging_unlock(r);
	if (!out)
		return err_set(e, ERR_CONFLICT, "another request took over %s", w->part->path);
	x = w->complete ? end_file(w, out, ret, e) : end_piece(w, out, ret, e);
	staging_reap(r, id);
	return x;
}
