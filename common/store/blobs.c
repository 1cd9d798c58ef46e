/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs.h"
#include "common/base/num.h"
#include "common/digest/digest_pool.h"
#include "common/store/blobs_ops.h"
#include "common/store/blobs_write.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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
	int r;

	assert(ops->version == BLOBS_OPS_VERSION);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(e);
	r = digest_pool_new(&s->pool, e);
	if (r < 0) {
		free(s);
		return r;
	}
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
	digest_pool_free(s->pool);
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
	uint64_t size = blobs_write_size(w);
	int r = blobs_write_check(w, e);

	if (r == 0)
		r = blob_new_loaded(blobs_write_ops(w), size, &b, e);
	if (r == 0 && size > 0)
		r = blob_writer_read_at(w, 0, b->loaded, (size_t)size, e);
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
