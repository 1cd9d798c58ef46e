/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs.h"
#include "common/base/num.h"
#include "common/store/blobs_ops.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct blob_writer {
	struct blobs *store;
	void *backend;
	struct digest_ctx *hash; /* NULL once finished */
	uint8_t *buffer;         /* NULL once finished */
	size_t filled;
	uint64_t size;
	bool rehash; /* not all of it passed here: finish reads it again */
	bool sealed;
	struct err failure; /* ERR_NONE until the first one */
};

struct blob {
	atomic_uint refs;
	const struct blobs_ops *ops;
	const uint8_t *data;
	uint8_t *loaded; /* `data`, when it is in memory of our own */
	uint64_t size;
};

struct blob_reader {
	const struct blobs_ops *ops;
	void *backend;
};

/* ---- keys ---- */

const char *blob_key_text(const struct blob_key *key, char buf[BLOB_KEY_TEXT])
{
	char hex[DIGEST_HEX + 1];

	(void)snprintf(buf, BLOB_KEY_TEXT, "%s.%s", digest_hex(&key->digest, hex), key->gen);
	return buf;
}

static bool is_gen(struct str s)
{
	if (s.n != BLOB_GEN_HEX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (str_hex_value(s.p[i]) < 0 || str_is_upper(s.p[i]))
			return false;
	return true;
}

bool blob_key_parse(struct str text, struct blob_key *ret)
{
	struct str hex;
	struct blob_key key;

	if (!str_split(&text, '.', &hex) || !digest_parse_hex(hex, &key.digest) || !is_gen(text))
		return false;
	memcpy(key.gen, text.p, BLOB_GEN_HEX);
	key.gen[BLOB_GEN_HEX] = '\0';
	*ret = key;
	return true;
}

int blob_key_fresh(const struct digest *digest, struct blob_key *ret, struct err *e)
{
	struct blob_key key = {.digest = *digest};
	int r = digest_random_hex(key.gen, BLOB_GEN_HEX, e);

	if (r < 0)
		return r;
	*ret = key;
	return 0;
}

/* ---- the store ---- */

int blobs_new(const struct blobs_ops *ops, void *backend, struct blobs **ret, struct err *e)
{
	struct blobs *s;

	assert(ops->version == BLOBS_OPS_VERSION);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(e);
	s->ops = ops;
	s->backend = backend;
	*ret = s;
	return 0;
}

void blobs_close(struct blobs *s)
{
	if (!s)
		return;
	s->ops->close(s->backend);
	free(s);
}

int blobs_sync(struct blobs *s, const struct blob_key *keys, size_t n, struct err *e)
{
	return n > 0 ? s->ops->sync_names(s->backend, keys, n, e) : 0;
}

int blobs_remove(struct blobs *s, const struct blob_key *keys, size_t n, bool *ret_removed,
	struct err *e)
{
	return n > 0 ? s->ops->remove(s->backend, keys, n, ret_removed, e) : 0;
}

bool blobs_exists(struct blobs *s, const struct blob_key *key)
{
	return s->ops->exists(s->backend, key);
}

bool blobs_part_exists(struct blobs *s, const char *name)
{
	return s->ops->part_exists(s->backend, name);
}

int blobs_list(struct blobs *s, blobs_list_fn *fn, void *cls, struct err *e)
{
	return s->ops->list(s->backend, fn, cls, e);
}

int blobs_sweep_temporary(struct blobs *s, size_t *ret_removed, struct err *e)
{
	return s->ops->sweep_temporary(s->backend, ret_removed, e);
}

int blobs_free_space(struct blobs *s, uint64_t *ret_bytes, struct err *e)
{
	return s->ops->free_space(s->backend, ret_bytes, e);
}

/* ---- in ---- */

/* All but its backend. */
static int writer_new(struct blobs *s, struct blob_writer **ret, struct err *e)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_nomem(e);
	w->store = s;
	w->buffer = malloc(BLOB_WRITE_BUFFER);
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
		r = s->ops->create(s->backend, &w->backend, e);
	if (r == 0)
		*ret = take_ptr(w);
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

void blob_writer_free(struct blob_writer *w)
{
	if (!w)
		return;
	if (w->backend)
		w->store->ops->discard(w->backend);
	digest_ctx_free(w->hash);
	free(w->buffer);
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

static int flush(struct blob_writer *w, struct err *e)
{
	int r = 0;

	if (w->filled > 0)
		r = w->store->ops->write(w->backend, w->buffer, w->filled, e);
	w->filled = 0;
	return r;
}

static int buffer_up(struct blob_writer *w, const uint8_t *bytes, size_t n, struct err *e)
{
	while (n > 0) {
		size_t room = BLOB_WRITE_BUFFER - w->filled;
		size_t piece = n < room ? n : room;

		memcpy(w->buffer + w->filled, bytes, piece);
		w->filled += piece;
		bytes += piece;
		n -= piece;
		if (w->filled < BLOB_WRITE_BUFFER)
			continue;
		int r = flush(w, e);
		if (r < 0)
			return r;
	}
	return 0;
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
	r = w->rehash ? 0 : digest_ctx_update(w->hash, bytes, n, e);
	if (r == 0)
		r = buffer_up(w, bytes, n, e);
	if (r < 0)
		return remember(w, e);
	w->size = size;
	return 0;
}

/* After the flush the buffer has nothing in it. */
static int hash_again(struct blob_writer *w, struct err *e)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < w->size; at += BLOB_WRITE_BUFFER) {
		uint64_t left = w->size - at;
		size_t n = left < BLOB_WRITE_BUFFER ? (size_t)left : BLOB_WRITE_BUFFER;
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
	r = flush(w, e);
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

	if (r == 0 && w->buffer)
		r = flush(w, e);
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
	r = flush(w, e);
	if (r == 0 && w->rehash)
		r = hash_again(w, e);
	if (r == 0)
		r = digest_ctx_finish(w->hash, ret_digest, e);
	if (r < 0)
		return remember(w, e);
	*ret_size = w->size;
	free(take_ptr(w->buffer));
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
	return w->store->ops->read_at(w->backend, offset, buf, n, e);
}

/* What has not been sealed before; the first writer that failed earlier is the answer. */
static int unsealed(struct blob_writer *const *writers, size_t n, void **backends, size_t *ret_n,
	struct err *e)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		int r = remembered(writers[i], e);
		if (r < 0)
			return r;
		assert(!writers[i]->buffer);
		if (!writers[i]->sealed)
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

/* ---- out ---- */

static int blob_new(const struct blobs_ops *ops, uint64_t size, struct blob **ret, struct err *e)
{
	struct blob *b = calloc(1, sizeof(*b));

	if (!b)
		return err_nomem(e);
	atomic_init(&b->refs, 1);
	b->ops = ops;
	b->size = size;
	*ret = b;
	return 0;
}

/* With room for its bytes. */
static int blob_new_loaded(const struct blobs_ops *ops, uint64_t size, struct blob **ret,
	struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	int r = blob_new(ops, size, &b, e);

	if (r < 0)
		return r;
	if (size > 0) {
		b->loaded = size <= SIZE_MAX ? malloc((size_t)size) : NULL;
		if (!b->loaded)
			return err_nomem(e);
	}
	b->data = b->loaded;
	*ret = take_ptr(b);
	return 0;
}

int blob_writer_load(struct blob_writer *w, struct blob **ret, struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	int r = remembered(w, e);

	if (r < 0)
		return r;
	assert(!w->buffer);
	r = blob_new_loaded(w->store->ops, w->size, &b, e);
	if (r == 0 && w->size > 0)
		r = w->store->ops->read_at(w->backend, 0, b->loaded, (size_t)w->size, e);
	if (r < 0)
		return r;
	*ret = take_ptr(b);
	return 0;
}

int blobs_read(struct blobs *s, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
	void *cls, struct err *e)
{
	return s->ops->read(s->backend, key, size, fn, cls, e);
}

int blobs_reader_open(struct blobs *s, const struct blob_key *key, uint64_t size,
	struct blob_reader **ret, struct err *e)
{
	CLEANUP_FREE struct blob_reader *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_nomem(e);
	b->ops = s->ops;
	r = s->ops->reader_open(s->backend, key, size, &b->backend, e);
	if (r == 0)
		*ret = take_ptr(b);
	return r;
}

int blob_reader_read(const struct blob_reader *b, uint64_t offset, void *buf, size_t n,
	struct err *e)
{
	return b->ops->reader_read(b->backend, offset, buf, n, e);
}

void blob_reader_close(struct blob_reader *b)
{
	if (!b)
		return;
	b->ops->reader_close(b->backend);
	free(b);
}

int blobs_read_at(struct blobs *s, const struct blob_key *key, uint64_t size, uint64_t offset,
	void *buf, size_t n, struct err *e)
{
	CLEANUP(blob_reader_close_p) struct blob_reader *b = NULL;
	int r = blobs_reader_open(s, key, size, &b, e);

	assert(offset <= size && n <= size - offset);
	return r < 0 ? r : blob_reader_read(b, offset, buf, n, e);
}

int blobs_load(struct blobs *s, const struct blob_key *key, uint64_t size, struct blob **ret,
	struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	int r = blob_new_loaded(s->ops, size, &b, e);

	if (r == 0)
		r = blobs_read_at(s, key, size, 0, b->loaded, (size_t)size, e);
	if (r < 0)
		return r;
	*ret = take_ptr(b);
	return 0;
}

int blobs_open(struct blobs *s, const struct blob_key *key, uint64_t size, struct blob **ret,
	struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	int r = blob_new(s->ops, size, &b, e);

	if (r < 0)
		return r;
	r = s->ops->open(s->backend, key, size, &b->data, e);
	if (r < 0)
		return r;
	*ret = take_ptr(b);
	return 0;
}

const uint8_t *blob_data(const struct blob *b)
{
	return b->data;
}

uint64_t blob_size(const struct blob *b)
{
	return b->size;
}

struct blob *blob_ref(struct blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void blob_unref(struct blob *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (b->data && !b->loaded)
		b->ops->unmap(b->data, b->size);
	free(b->loaded);
	free(b);
}
