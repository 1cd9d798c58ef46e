/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: immutable bytes under a key that is never used twice.
 *
 * A key is <sha256>.<gen>; `gen` is fresh for every upload, so that a collection that is about to
 * remove an old copy can never remove a new one. The front here owns hashing, sizes and buffering;
 * the backend (struct blobs_ops) owns bytes. blobs_fs.h is the one on the local disk.
 *
 * The durable order (DESIGN of the store, see store/README): write a temporary, fsync it, link it
 * under its key, fsync the directories that changed; only then may the catalog name the key.
 * All calls block; every object may be used from any thread, but from one at a time, except
 * `struct blobs` and `struct blob`, which are shared.
 */
#pragma once

#include "common/base/err.h"
#include "common/digest/digest.h"

#include <stddef.h>
#include <stdint.h>

#define BLOB_GEN_HEX      16 /* hex digits of a generation */
#define BLOB_KEY_TEXT     (DIGEST_HEX + 1 + BLOB_GEN_HEX + 1)
#define BLOB_WRITE_BUFFER (256u << 10) /* bytes that are written to the backend at a time */

struct blob_key {
	struct digest digest;
	char gen[BLOB_GEN_HEX + 1];
};

const char *blob_key_text(const struct blob_key *key, char buf[BLOB_KEY_TEXT]);
bool blob_key_parse(struct str text, struct blob_key *ret);
int blob_key_fresh(const struct digest *digest, struct blob_key *ret, struct err *e);

struct blobs;       /* a store of blobs */
struct blob_writer; /* bytes on their way in, under a private name */
struct blob;        /* bytes to read; reference counted */

void blobs_close(struct blobs *s);
DEFINE_CLEANUP(struct blobs, blobs_close)

/* ---- in ---- */

int blobs_create(struct blobs *s, struct blob_writer **ret, struct err *e);
/* Can files be made at all? blobs_create() does not tell: it makes one once it is needed. */
int blobs_require_writable(struct blobs *s, struct err *e);
/* Of a part: so many more bytes are said to come, which room is made for. Fewer or more may. To be
 * called before any is written, and not where a thread must not wait for the disk: writing may. */
void blob_writer_expect(struct blob_writer *w, uint64_t n);
/* Gathers small pieces; hashes and writes BLOB_WRITE_BUFFER of them, from the second time on beside
 * each other where there is a processor to spare. Large ones go as they come. After a failure the
 * writer only remembers it. May run on a thread that polls sockets: it waits for the page cache at
 * most, and for hashing one piece. */
int blob_writer_write(struct blob_writer *w, const void *bytes, size_t n, struct err *e);
/* No more bytes: flush the buffer, give digest and size. Not durable yet: a small file stays in
 * memory until it is sealed, up to a limit for all of them. */
int blob_writer_finish(struct blob_writer *w, struct digest *ret_digest, uint64_t *ret_size,
	struct err *e);
/* After finish, before and after the link: all bytes, read into memory. */
int blob_writer_load(struct blob_writer *w, struct blob **ret, struct err *e);
/* Bytes that can be read back already: all but those in the buffer. For the thread that writes. */
uint64_t blob_writer_readable(const struct blob_writer *w);
/* `n` of those from `offset` on. From any thread, beside a write, while the writer lives. */
int blob_writer_read_at(const struct blob_writer *w, uint64_t offset, void *buf, size_t n,
	struct err *e);
/* After finish: make the bytes of all these durable at once. Many small files cost about as much
 * as one. A failure is final for all of them. */
int blobs_seal(struct blobs *s, struct blob_writer *const *writers, size_t n, struct err *e);
/* Seal it if that was not done, and link it under `key`. The name is durable only after
 * blobs_sync(). */
int blob_writer_link(struct blob_writer *w, const struct blob_key *key, struct err *e);
/* Removes the private name, whatever happened before. */
void blob_writer_free(struct blob_writer *w);
DEFINE_CLEANUP(struct blob_writer, blob_writer_free)

/* Parts: bytes on their way in under a private name that outlives the process. */
#define BLOB_PART_NAME 64 /* bytes of a name, at most: [a-z0-9.], not beginning with a dot */

/* Begin one, under a name that is not in use. Both may run on a thread that polls sockets. */
int blobs_part_create(struct blobs *s, const char *name, struct blob_writer **ret, struct err *e);
/* Go on behind its first `size` bytes; what else there was is cut off. blob_writer_finish() reads
 * them again for the digest. ERR_CORRUPT when there are fewer. */
int blobs_part_open(struct blobs *s, const char *name, uint64_t size, struct blob_writer **ret,
	struct err *e);
/* Of a part, before finish: all that was written survives power loss, and its name. */
int blob_writer_sync(struct blob_writer *w, uint64_t *ret_size, struct err *e);
/* Of a part: let it go, with its first *ret_size bytes under its name; not durable. Frees, in any
 * case. May run on a thread that polls sockets. */
int blob_writer_leave(struct blob_writer *w, uint64_t *ret_size, struct err *e);
/* One that is gone already is success. */
int blobs_part_remove(struct blobs *s, const char *name, struct err *e);
/* Every part, in no order. A negative answer of `fn` stops and is returned. */
typedef int blobs_part_fn(void *cls, const char *name, uint64_t size, struct err *e);
int blobs_parts(struct blobs *s, blobs_part_fn *fn, void *cls, struct err *e);
bool blobs_part_exists(struct blobs *s, const char *name);

/* Make the names of these keys durable: every directory that holds one is synced, or the file
 * system once. */
int blobs_sync(struct blobs *s, const struct blob_key *keys, size_t n, struct err *e);

/* ---- out ---- */

/* Map a blob of `size` bytes. ERR_CORRUPT when it is missing or has another size. The bytes are for
 * the kernel, which answers EFAULT where a disk does not give them or the file was cut since: who
 * looks at them there loses the process to SIGBUS, and has to load or read instead. */
int blobs_open(struct blobs *s, const struct blob_key *key, uint64_t size, struct blob **ret,
	struct err *e);
/* Read all of it into memory. Errors as from blobs_open(), and where the bytes cannot be read. */
int blobs_load(struct blobs *s, const struct blob_key *key, uint64_t size, struct blob **ret,
	struct err *e);
/* Read `n` bytes of it from `offset` on. Errors as from blobs_load(). */
int blobs_read_at(struct blobs *s, const struct blob_key *key, uint64_t size, uint64_t offset,
	void *buf, size_t n, struct err *e);
/* Read a blob of `size` bytes from its file, by pieces of at most BLOB_READ_PIECE, in order; a
 * negative answer of `fn` stops and is returned. Errors as from blobs_load(). What nobody has
 * mapped leaves the page cache behind the read, so that reading a whole store does not push out
 * what is served; what is in the cache already is checked there, as readers get it. */
#define BLOB_READ_PIECE (256u << 10)
typedef int blobs_read_fn(void *cls, const uint8_t *bytes, size_t n, struct err *e);
int blobs_read(struct blobs *s, const struct blob_key *key, uint64_t size, blobs_read_fn *fn,
	void *cls, struct err *e);
/* The same for a caller who asks for the pieces: they stay readable until the end, whatever is
 * removed meanwhile. Costs a descriptor. Errors as from blobs_read(). */
struct blob_reader;
int blobs_reader_open(struct blobs *s, const struct blob_key *key, uint64_t size,
	struct blob_reader **ret, struct err *e);
/* `n` bytes from `offset` on, which are within its size. */
int blob_reader_read(const struct blob_reader *b, uint64_t offset, void *buf, size_t n,
	struct err *e);
void blob_reader_close(struct blob_reader *b);
DEFINE_CLEANUP(struct blob_reader, blob_reader_close)
const uint8_t *blob_data(const struct blob *b); /* NULL only when the size is 0 */
uint64_t blob_size(const struct blob *b);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);
DEFINE_CLEANUP(struct blob, blob_unref)

/* ---- upkeep ---- */

/* Remove keys, durably; one that is gone already counts as removed. A key that resists does not
 * keep the others: ret_removed[i] tells of each, the answer is the first failure. */
int blobs_remove(struct blobs *s, const struct blob_key *keys, size_t n, bool *ret_removed,
	struct err *e);
bool blobs_exists(struct blobs *s, const struct blob_key *key);
/* Every name in the store, in no order: a key, or NULL and a name that is none. A negative answer
 * of `fn` stops and is returned. What comes and goes meanwhile may be told or not. */
typedef int blobs_list_fn(void *cls, const struct blob_key *key, const char *name, struct err *e);
int blobs_list(struct blobs *s, blobs_list_fn *fn, void *cls, struct err *e);
/* Throw away what writers of an earlier process left. Call before the first blobs_create(). */
int blobs_sweep_temporary(struct blobs *s, size_t *ret_removed, struct err *e);
/* Bytes free for a writer without privileges. */
int blobs_free_space(struct blobs *s, uint64_t *ret_bytes, struct err *e);
