/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs_ops.h"
#include "tests/unit/fault.h"

#include <assert.h>
#include <string.h>

/* One store at a time: writers then need no way back to it. */
static struct blobs *inner;

/* `call` hands nothing over, so it may have worked and be called a failure all the same. */
#define FAULTY(call) \
	({ \
		unsigned n_; \
		int r_ = fault_before(e, &n_); \
		if (r_ == 0) \
			r_ = (call); \
		r_ < 0 ? r_ : fault_after(e, n_); \
	})

#define FAULTY_BEFORE(call) \
	({ \
		unsigned n_; \
		int r_ = fault_before(e, &n_); \
		r_ < 0 ? r_ : (call); \
	})

static int faulty_create(void *backend, void **ret_writer, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->create(backend, ret_writer, e));
}

static void faulty_expect(void *writer, uint64_t n)
{
	inner->ops->expect(writer, n);
}

static int faulty_write(void *writer, const void *bytes, size_t n, struct err *e)
{
	return FAULTY(inner->ops->write(writer, bytes, n, e));
}

static int faulty_read_at(const void *writer, uint64_t offset, void *buf, size_t n, struct err *e)
{
	return FAULTY(inner->ops->read_at(writer, offset, buf, n, e));
}

static int faulty_seal(void *backend, void **writers, size_t n, struct err *e)
{
	return FAULTY(inner->ops->seal(backend, writers, n, e));
}

static int faulty_link(void *writer, const struct blob_key *key, struct err *e)
{
	return FAULTY(inner->ops->link(writer, key, e));
}

static void faulty_discard(void *writer)
{
	inner->ops->discard(writer);
}

static int faulty_part_create(void *backend, const char *name, void **ret_writer, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->part_create(backend, name, ret_writer, e));
}

static int faulty_part_open(void *backend, const char *name, uint64_t size, void **ret_writer,
	struct err *e)
{
	return FAULTY_BEFORE(inner->ops->part_open(backend, name, size, ret_writer, e));
}

static int faulty_part_sync(void *writer, struct err *e)
{
	return FAULTY(inner->ops->part_sync(writer, e));
}

static void faulty_leave(void *writer)
{
	inner->ops->leave(writer);
}

static int faulty_part_remove(void *backend, const char *name, struct err *e)
{
	return FAULTY(inner->ops->part_remove(backend, name, e));
}

static bool faulty_part_exists(void *backend, const char *name)
{
	return inner->ops->part_exists(backend, name);
}

static int faulty_part_list(void *backend, blobs_part_fn *fn, void *cls, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->part_list(backend, fn, cls, e));
}

static int faulty_sync_names(void *backend, const struct blob_key *keys, size_t n, struct err *e)
{
	return FAULTY(inner->ops->sync_names(backend, keys, n, e));
}

static int faulty_open(void *backend, const struct blob_key *key, uint64_t size,
	const uint8_t **ret, struct err *e)
{
	void (*before)(void) = take_ptr(fault.before_open);

	if (before)
		before();
	return FAULTY_BEFORE(inner->ops->open(backend, key, size, ret, e));
}

static int faulty_read(void *backend, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
	void *cls, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->read(backend, key, size, fn, cls, e));
}

static void faulty_unmap(const uint8_t *bytes, uint64_t size)
{
	inner->ops->unmap(bytes, size);
}

static int faulty_reader_open(void *backend, const struct blob_key *key, uint64_t size,
	void **ret_reader, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->reader_open(backend, key, size, ret_reader, e));
}

static int faulty_reader_read(const void *reader, uint64_t offset, void *buf, size_t n,
	struct err *e)
{
	return FAULTY(inner->ops->reader_read(reader, offset, buf, n, e));
}

static void faulty_reader_close(void *reader)
{
	inner->ops->reader_close(reader);
}

static int faulty_remove(void *backend, const struct blob_key *keys, size_t n, bool *ret_removed,
	struct err *e)
{
	int r;

	memset(ret_removed, 0, n * sizeof(*ret_removed));
	r = FAULTY(inner->ops->remove(backend, keys, n, ret_removed, e));
	if (r < 0)
		memset(ret_removed, 0, n * sizeof(*ret_removed));
	return r;
}

static bool faulty_exists(void *backend, const struct blob_key *key)
{
	return inner->ops->exists(backend, key);
}

static int faulty_list(void *backend, blobs_list_fn *fn, void *cls, struct err *e)
{
	return FAULTY_BEFORE(inner->ops->list(backend, fn, cls, e));
}

static int faulty_sweep_temporary(void *backend, size_t *ret_removed, struct err *e)
{
	return FAULTY(inner->ops->sweep_temporary(backend, ret_removed, e));
}

static int faulty_free_space(void *backend, uint64_t *ret_bytes, struct err *e)
{
	return FAULTY(inner->ops->free_space(backend, ret_bytes, e));
}

static void faulty_close(void *backend)
{
	(void)backend;
	blobs_close(take_ptr(inner));
}

struct blobs *blobs_fault(struct blobs *wrapped)
{
	static const struct blobs_ops ops = {
		.version = BLOBS_OPS_VERSION,
		.create = faulty_create,
		.expect = faulty_expect,
		.write = faulty_write,
		.read_at = faulty_read_at,
		.seal = faulty_seal,
		.link = faulty_link,
		.discard = faulty_discard,
		.part_create = faulty_part_create,
		.part_open = faulty_part_open,
		.part_sync = faulty_part_sync,
		.leave = faulty_leave,
		.part_remove = faulty_part_remove,
		.part_list = faulty_part_list,
		.part_exists = faulty_part_exists,
		.sync_names = faulty_sync_names,
		.open = faulty_open,
		.read = faulty_read,
		.unmap = faulty_unmap,
		.reader_open = faulty_reader_open,
		.reader_read = faulty_reader_read,
		.reader_close = faulty_reader_close,
		.remove = faulty_remove,
		.exists = faulty_exists,
		.list = faulty_list,
		.sweep_temporary = faulty_sweep_temporary,
		.free_space = faulty_free_space,
		.close = faulty_close,
	};
	struct blobs *s = NULL;
	struct err e;

	assert(!inner);
	inner = wrapped;
	return blobs_new(&ops, inner->backend, &s, &e) == 0 ? s : NULL;
}
