/* SPDX-License-Identifier: Apache-2.0 */
/* Writers: the way in of blobs.h. */
#include "common/base/num.h"
#include "common/digest/digest_pool.h"
#include "common/store/blobs_ops.h"
#include "common/store/blobs_write.h"

#include <assert.h>
#include <string.h>

/* Small files stay in memory until they are sealed: one that the store has already, such as the
 * model.json of new weights, then costs the disk nothing. */
#define KEPT_FILE (16u << 10)
#define KEPT_ALL  (4u << 20) /* of one store; what comes then goes to the backend at once */

struct blob_writer {
	struct blobs *store;
	void *backend; /* NULL before the first flush, of what is no part */
	uint8_t *kept; /* all bytes, once finished, while there is no backend */
	struct digest_ctx *hash; /* NULL once finished */
	uint8_t *buffer;         /* NULL once finished */
	size_t room;             /* of the buffer: KEPT_FILE, or BLOB_WRITE_BUFFER when more came */
	size_t filled;           /* of the buffer; not hashed so far */
	/* The other buffer, and what of it is being hashed. With one buffer a full one is hashed
	 * where it was filled. */
	uint8_t *behind;
	struct digest_pool_piece hashing;
	uint64_t size;
	bool rehash; /* not all of it passed here: finish reads it again */
	bool sealed;
	struct err failure; /* ERR_NONE until the first one */
};

/* All but its backend. */
static int writer_new(struct blobs *s, struct blob_writer **ret, struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_nomem(e);
	w->store = s;
	w->room = KEPT_FILE;
	w->buffer = malloc(w->room);
	if (!w->buffer)
		return err_nomem(e);
	r = digest_ctx_new(&w->hash, e);
	if (r == 0)
		*ret = take_ptr(w);
	return r;
}

int blobs_create(struct blobs *s, struct blob_writer **ret, struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	int r = writer_new(s, &w, e);

	if (r == 0)
		*ret = take_ptr(w);
	return r;
}

int blobs_require_writable(struct blobs *s, struct err *e)
{
	void *backend;
	int r = s->ops->create(s->backend, &backend, e);

	if (r == 0)
		s->ops->discard(backend);
	return r;
}

int blobs_part_create(struct blobs *s, const char *name, struct blob_writer **ret, struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	int r = writer_new(s, &w, e);

	if (r == 0)
		r = s->ops->part_create(s->backend, name, &w->backend, e);
	if (r == 0)
		*ret = take_ptr(w);
	return r;
}

int blobs_part_open(struct blobs *s, const char *name, uint64_t size, struct blob_writer **ret,
	struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	int r = writer_new(s, &w, e);

	if (r == 0)
		r = s->ops->part_open(s->backend, name, size, &w->backend, e);
	if (r < 0)
		return r;
	w->size = size;
	w->rehash = size > 0;
	*ret = take_ptr(w);
	return 0;
}

int blobs_part_remove(struct blobs *s, const char *name, struct err *e)
{
	return s->ops->part_remove(s->backend, name, e);
}

int blobs_parts(struct blobs *s, blobs_part_fn *fn, void *cls, struct err *e)
{
	return s->ops->part_list(s->backend, fn, cls, e);
}

/* ---- small files ---- */

static void drop_kept(struct blob_writer *w)
{
	if (!w->kept)
		return;
	free(take_ptr(w->kept));
	atomic_fetch_sub(&w->store->kept, (size_t)w->size);
}

/* At the end, with all bytes in the buffer. */
static bool keep(struct blob_writer *w)
{
	size_t n = (size_t)w->size;

	if (w->backend || w->size > KEPT_FILE)
		return false;
	if (atomic_fetch_add(&w->store->kept, n) <= KEPT_ALL - n)
		w->kept = malloc(n + 1);
	if (w->kept)
		memcpy(w->kept, w->buffer, n);
	else
		atomic_fetch_sub(&w->store->kept, n);
	return w->kept;
}

static int need_backend(struct blob_writer *w, struct err *e)
{
	return w->backend ? 0 : w->store->ops->create(w->store->backend, &w->backend, e);
}

/* To the backend with what is in memory alone. */
static int hand_over(struct blob_writer *w, struct err *e)
{
	int r = need_backend(w, e);

	if (r == 0 && w->kept && w->size > 0)
		r = w->store->ops->write(w->backend, w->kept, (size_t)w->size, e);
	drop_kept(w);
	return r;
}

void blob_writer_free(struct blob_writer *w)
{
	struct err ignored;

	if (!w)
		return;
	(void)digest_pool_wait(w->store->pool, &w->hashing, &ignored);
	drop_kept(w);
	if (w->backend)
		w->store->ops->discard(w->backend);
	digest_ctx_free(w->hash);
	free(w->buffer);
	free(w->behind);
	free(w);
}

/* The failure that `e` holds is what every later call answers. */
static int remember(struct blob_writer *w, const struct err *e)
{
	w->failure = *e;
	return -(int)e->code;
}

static int remembered(const struct blob_writer *w, struct err *e)
{
	if (w->failure.code != ERR_NONE)
		*e = w->failure;
	return -(int)w->failure.code;
}

/* ---- hashing: before it is written ---- */

static int hash(struct blob_writer *w, const uint8_t *bytes, size_t n, struct err *e)
{
	int r = w->rehash ? 0 : digest_pool_wait(w->store->pool, &w->hashing, e);

	return r < 0 || w->rehash ? r : digest_ctx_update(w->hash, bytes, n, e);
}

static int hash_here(struct blob_writer *w, struct err *e)
{
	return hash(w, w->buffer, w->filled, e);
}

/* A second buffer comes with the second piece: most files are smaller. */
static bool can_hash_behind(struct blob_writer *w)
{
	if (w->behind || w->rehash || w->size < BLOB_WRITE_BUFFER)
		return w->behind;
	if (digest_pool_helps(w->store->pool))
		w->behind = malloc(BLOB_WRITE_BUFFER);
	return w->behind;
}

static int hash_behind(struct blob_writer *w, struct err *e)
{
	int r = digest_pool_wait(w->store->pool, &w->hashing, e);

	if (r < 0)
		return r;
	w->hashing.ctx = w->hash;
	w->hashing.bytes = w->buffer;
	w->hashing.n = w->filled;
	digest_pool_give(w->store->pool, &w->hashing);
	return 0;
}

/* ---- writing ---- */

static int flush(struct blob_writer *w, struct err *e)
{
	int r = need_backend(w, e);

	if (r == 0)
		r = w->store->ops->write(w->backend, w->buffer, w->filled, e);
	w->filled = 0;
	return r;
}

/* What there is, hashed and written. */
static int drain(struct blob_writer *w, struct err *e)
{
	int r = w->filled > 0 ? hash_here(w, e) : 0;

	return r == 0 && w->filled > 0 ? flush(w, e) : r;
}

/* And of an empty file, which has nothing, at least the place. */
static int drain_all(struct blob_writer *w, struct err *e)
{
	int r = drain(w, e);

	return r < 0 ? r : need_backend(w, e);
}

/* A full buffer: written while it is hashed, and the next bytes go to the other one. */
static int pass_on(struct blob_writer *w, struct err *e)
{
	uint8_t *full = w->buffer;
	int r;

	if (!can_hash_behind(w))
		return drain(w, e);
	r = hash_behind(w, e);
	if (r == 0)
		r = flush(w, e);
	w->buffer = w->behind;
	w->behind = full;
	return r;
}

/* As it came, behind what there is: what fills a buffer by itself is not worth a copy, nor a thread
 * to hash it beside. Who has so much at a time, as an import, has another thread to get the next,
 * and other files. */
static int pass_by(struct blob_writer *w, const uint8_t *bytes, size_t n, struct err *e)
{
	int r = drain(w, e);

	if (r == 0)
		r = hash(w, bytes, n, e);
	if (r == 0)
		r = need_backend(w, e);
	return r < 0 ? r : w->store->ops->write(w->backend, bytes, n, e);
}

/* It is full, and small: most files are. */
static int enlarge(struct blob_writer *w, struct err *e)
{
	uint8_t *larger = realloc(w->buffer, BLOB_WRITE_BUFFER);

	if (!larger)
		return err_nomem(e);
	w->buffer = larger;
	w->room = BLOB_WRITE_BUFFER;
	return 0;
}

static int buffer_up(struct blob_writer *w, const uint8_t *bytes, size_t n, struct err *e)
{
	while (n > 0) {
		int r = w->filled == w->room ? enlarge(w, e) : 0;
		if (r < 0)
			return r;
		size_t room = w->room - w->filled;
		size_t piece = n < room ? n : room;

		memcpy(w->buffer + w->filled, bytes, piece);
		w->filled += piece;
		bytes += piece;
		n -= piece;
		if (w->filled < BLOB_WRITE_BUFFER)
			continue;
		r = pass_on(w, e);
		if (r < 0)
			return r;
	}
	return 0;
}

void blob_writer_expect(struct blob_writer *w, uint64_t n)
{
	assert(w->backend);
	w->store->ops->expect(w->backend, n);
}

int blob_writer_write(struct blob_writer *w, const void *bytes, size_t n, struct err *e)
{
	uint64_t size;
	int r = remembered(w, e);

	if (r < 0)
		return r;
	assert(w->buffer);
	if (!num_add(w->size, n, &size)) {
		(void)err_set(e, ERR_TOO_LARGE, "a file has more bytes than can be counted");
		return remember(w, e);
	}
	r = n >= BLOB_WRITE_BUFFER ? pass_by(w, bytes, n, e) : buffer_up(w, bytes, n, e);
	if (r < 0)
		return remember(w, e);
	w->size = size;
	return 0;
}

/* After the flush the buffer has nothing in it. */
static int hash_again(struct blob_writer *w, struct err *e)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < w->size; at += w->room) {
		uint64_t left = w->size - at;
		size_t n = left < w->room ? (size_t)left : w->room;
		r = w->store->ops->read_at(w->backend, at, w->buffer, n, e);
		if (r == 0)
			r = digest_ctx_update(w->hash, w->buffer, n, e);
	}
	return r;
}

int blob_writer_sync(struct blob_writer *w, uint64_t *ret_size, struct err *e)
{
	int r = remembered(w, e);

	if (r < 0)
		return r;
	assert(w->buffer);
	r = drain(w, e);
	if (r == 0)
		r = w->store->ops->part_sync(w->backend, e);
	if (r < 0)
		return remember(w, e);
	*ret_size = w->size;
	return 0;
}

int blob_writer_leave(struct blob_writer *w, uint64_t *ret_size, struct err *e)
{
	int r = remembered(w, e);

	if (r == 0 && w->buffer && w->filled > 0)
		r = flush(w, e); /* who goes on reads it again */
	*ret_size = w->size;
	w->store->ops->leave(take_ptr(w->backend));
	blob_writer_free(w);
	return r;
}

int blob_writer_finish(struct blob_writer *w, struct digest *ret_digest, uint64_t *ret_size,
	struct err *e)
{
	int r = remembered(w, e);

	if (r < 0)
		return r;
	assert(w->buffer);
	r = keep(w) ? hash_here(w, e) : drain_all(w, e);
	w->filled = 0;
	if (r == 0)
		r = digest_pool_wait(w->store->pool, &w->hashing, e);
	if (r == 0 && w->rehash)
		r = hash_again(w, e);
	if (r == 0)
		r = digest_ctx_finish(w->hash, ret_digest, e);
	if (r < 0)
		return remember(w, e);
	*ret_size = w->size;
	free(take_ptr(w->buffer));
	free(take_ptr(w->behind));
	digest_ctx_free(take_ptr(w->hash));
	return 0;
}

uint64_t blob_writer_readable(const struct blob_writer *w)
{
	return w->size - w->filled;
}

int blob_writer_read_at(const struct blob_writer *w, uint64_t offset, void *buf, size_t n,
	struct err *e)
{
	if (!w->kept)
		return w->store->ops->read_at(w->backend, offset, buf, n, e);
	assert(offset <= w->size && n <= w->size - offset);
	memcpy(buf, w->kept + offset, n);
	return 0;
}

/* What has not been sealed before; the first writer that failed is the answer. */
static int unsealed(struct blob_writer *const *writers, size_t n, void **backends, size_t *ret_n,
	struct err *e)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		int r = remembered(writers[i], e);
		if (r < 0)
			return r;
		assert(!writers[i]->buffer);
		if (writers[i]->sealed)
			continue;
		if (hand_over(writers[i], e) < 0)
			return remember(writers[i], e);
		backends[left++] = writers[i]->backend;
	}
	*ret_n = left;
	return 0;
}

int blobs_seal(struct blobs *s, struct blob_writer *const *writers, size_t n, struct err *e)
{
	CLEANUP_FREE void **backends = calloc(n + 1, sizeof(*backends));
	size_t left = 0;
	int r = backends ? unsealed(writers, n, backends, &left, e) : err_nomem(e);

	if (r < 0 || left == 0)
		return r;
	r = s->ops->seal(s->backend, backends, left, e);
	for (size_t i = 0; i < n; i++) {
		if (r < 0 && !writers[i]->sealed)
			(void)remember(writers[i], e);
		writers[i]->sealed = true;
	}
	return r;
}

int blob_writer_link(struct blob_writer *w, const struct blob_key *key, struct err *e)
{
	int r = blobs_seal(w->store, &w, 1, e);

	return r < 0 ? r : w->store->ops->link(w->backend, key, e);
}

/* ---- for blobs.c ---- */

int blobs_write_check(const struct blob_writer *w, struct err *e)
{
	assert(!w->buffer || w->failure.code != ERR_NONE);
	return remembered(w, e);
}

const struct blobs_ops *blobs_write_ops(const struct blob_writer *w)
{
	return w->store->ops;
}

uint64_t blobs_write_size(const struct blob_writer *w)
{
	return w->size;
}
