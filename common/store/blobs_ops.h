/* SPDX-License-Identifier: Apache-2.0 */
/* What a home for blobs does, as a struct of functions. The front (blobs.c) calls them and owns
 * hashing, buffering, sizes and reference counts; only backends and the front include this header.
 *
 * What the front relies on:
 * 1. bytes written are invisible under any key until link() succeeded;
 * 2. link() never replaces: a key that is taken is an error;
 * 3. after seal() the bytes survive power loss, after sync_names() the names do;
 * 4. bytes that open() gave stay readable after remove(), until unmap(); those of reader_open(),
 *    until reader_close().
 */
#pragma once

#include "common/store/blobs.h"

#include <stdatomic.h>

#define BLOBS_OPS_VERSION 8

struct blobs_ops {
	unsigned version;

	int (*create)(void *backend, void **ret_writer, struct err *e);
	/* So many more bytes are said to come; fewer or more may. write() may wait for the disk
	 * then. */
	void (*expect)(void *writer, uint64_t n);
	int (*write)(void *writer, const void *bytes, size_t n, struct err *e);
	/* `n` bytes that were written, from `offset` on. May come from another thread than the
	 * other calls on this writer, and beside one that does not end it. */
	int (*read_at)(const void *writer, uint64_t offset, void *buf, size_t n, struct err *e);
	/* No more bytes in these: make them durable. A failure is final for all of them. */
	int (*seal)(void *backend, void **writers, size_t n, struct err *e);
	int (*link)(void *writer, const struct blob_key *key, struct err *e);
	void (*discard)(void *writer);

	/* Writers whose private name is given, and stays when leave() ends them. part_open() goes
	 * on behind `size` bytes. */
	int (*part_create)(void *backend, const char *name, void **ret_writer, struct err *e);
	int (*part_open)(void *backend, const char *name, uint64_t size, void **ret_writer,
		struct err *e);
	int (*part_sync)(void *writer, struct err *e);
	void (*leave)(void *writer);
	int (*part_remove)(void *backend, const char *name, struct err *e);
	int (*part_list)(void *backend, blobs_part_fn *fn, void *cls, struct err *e);
	bool (*part_exists)(void *backend, const char *name);

	int (*sync_names)(void *backend, const struct blob_key *keys, size_t n, struct err *e);

	int (*open)(void *backend, const struct blob_key *key, uint64_t size, const uint8_t **ret,
		struct err *e);
	int (*read)(void *backend, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
		void *cls, struct err *e);
	void (*unmap)(const uint8_t *bytes, uint64_t size);
	int (*reader_open)(void *backend, const struct blob_key *key, uint64_t size,
		void **ret_reader, struct err *e);
	/* `n` bytes from `offset` on, which are within the size. */
	int (*reader_read)(const void *reader, uint64_t offset, void *buf, size_t n,
		struct err *e);
	void (*reader_close)(void *reader);

	int (*remove)(void *backend, const struct blob_key *keys, size_t n, bool *ret_removed,
		struct err *e);
	bool (*exists)(void *backend, const struct blob_key *key);
	int (*list)(void *backend, blobs_list_fn *fn, void *cls, struct err *e);
	int (*sweep_temporary)(void *backend, size_t *ret_removed, struct err *e);
	int (*free_space)(void *backend, uint64_t *ret_bytes, struct err *e);
	void (*close)(void *backend);
};

struct digest_pool;

struct blobs {
	const struct blobs_ops *ops;
	void *backend;
	struct digest_pool *pool;
	atomic_size_t kept; /* bytes of small files that are in memory alone */
};

/* On success the store owns `backend`, which blobs_close() closes. */
int blobs_new(const struct blobs_ops *ops, void *backend, struct blobs **ret, struct err *e);
