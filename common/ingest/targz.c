/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/targz.h"
#include "common/base/num.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define TAR_BLOCK    512u
#define TAR_END      (2 * TAR_BLOCK)
#define USTAR_NAME   100u
#define USTAR_SIZE   (UINT64_C(1) << 33) /* eleven octal digits hold less */
#define PAX_NAME     "././@PaxHeader"
#define PAX_MAX      (3 * TAR_BLOCK) /* both records, padded */
#define ENTRY_MAX    (2 * TAR_BLOCK + PAX_MAX)
#define GZIP_HEAD    10u
#define GZIP_TRAILER 8u
#define STORED_HEAD  5u
#define STORED_MAX   65535u

_Static_assert(TARGZ_PATH_MAX + sizeof("1234 path=") + sizeof("30 size=18446744073709551615\n") <=
	PAX_MAX, "a pax header has room for the longest path and size");

struct ustar {
	char name[USTAR_NAME];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char sum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};

_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header of ustar is one block");

/* Bytes that wait to be taken. */
struct piece {
	uint8_t bytes[ENTRY_MAX];
	size_t n, at;
};

struct targz {
	const struct targz_file *files;
	size_t n;
	targz_read_fn *read;
	void *cls;
	uint64_t left;     /* bytes of the archive */
	uint64_t tar_size; /* modulo 2^32 in the trailer */
	uint64_t tar_left; /* bytes of the tar that are in no block so far */
	size_t block_left; /* bytes of the block under way */
	uint32_t crc;      /* of the tar so far */
	struct piece gzip; /* head of the member or of a block, or the trailer */
	size_t next;       /* file */
	uint64_t file_at;
	uint64_t file_left;
	struct piece entry;
	size_t zeros; /* to come after the file, or at the end */
};

/* ---- tar ---- */

static size_t padding(uint64_t n)
{
	return (size_t)(-n & (TAR_BLOCK - 1));
}

static bool fits_ustar(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)path[i] >= 0x80)
			return false;
	return n <= USTAR_NAME;
}

/* The sum is over the header with spaces in the place of the sum. */
static void add_header(struct piece *p, char type, const char *name, uint64_t size)
{
	struct ustar h = {.type = type, .magic = "ustar", .version = {'0', '0'}};
	unsigned sum = 0;

	memcpy(h.name, name, strnlen(name, sizeof(h.name)));
	(void)snprintf(h.mode, sizeof(h.mode), "%07o", 0644u);
	(void)snprintf(h.uid, sizeof(h.uid), "%07o", 0u);
	(void)snprintf(h.gid, sizeof(h.gid), "%07o", 0u);
	(void)snprintf(h.size, sizeof(h.size), "%011llo",
		size < USTAR_SIZE ? (unsigned long long)size : 0);
	(void)snprintf(h.mtime, sizeof(h.mtime), "%011o", TARGZ_MTIME);
	(void)snprintf(h.major, sizeof(h.major), "%07o", 0u);
	(void)snprintf(h.minor, sizeof(h.minor), "%07o", 0u);
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((const unsigned char *)&h)[i];
	(void)snprintf(h.sum, sizeof(h.sum) - 1, "%06o", sum);
	memcpy(p->bytes + p->n, &h, sizeof(h));
	p->n += sizeof(h);
}

static int digits(size_t n)
{
	int d = 1;

	while (n >= 10) {
		n /= 10;
		d++;
	}
	return d;
}

/* "<length> <key>=<value>\n", where the length counts itself. */
static size_t add_record(char *to, size_t max, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3;
	size_t n = rest + (size_t)digits(rest);

	n = rest + (size_t)digits(n);
	int made = snprintf(to, max, "%zu %s=%s\n", n, key, value);
	assert(made > 0 && (size_t)made == n && n < max);
	return n;
}

static void add_pax(struct piece *p, const struct targz_file *f)
{
	char records[PAX_MAX] = "", size[24];
	size_t n = 0;

	if (!fits_ustar(f->path))
		n += add_record(records, sizeof(records), "path", f->path);
	if (f->size >= USTAR_SIZE) {
		(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)f->size);
		n += add_record(records + n, sizeof(records) - n, "size", size);
	}
	if (n == 0)
		return;
	add_header(p, 'x', PAX_NAME, n);
	memset(records + n, 0, padding(n));
	memcpy(p->bytes + p->n, records, n + padding(n));
	p->n += n + padding(n);
}

/* All headers of one file. */
static void make_entry(struct piece *p, const struct targz_file *f)
{
	p->n = 0;
	p->at = 0;
	add_pax(p, f);
	add_header(p, '0', f->path, f->size);
}

static bool tar_size(const struct targz_file *files, size_t n, uint64_t *ret)
{
	struct piece p;
	uint64_t sum = TAR_END;

	for (size_t i = 0; i < n; i++) {
		if (strnlen(files[i].path, TARGZ_PATH_MAX + 1) > TARGZ_PATH_MAX)
			return false;
		make_entry(&p, &files[i]);
		if (!num_add(sum, p.n, &sum) || !num_add(sum, files[i].size, &sum) ||
			!num_add(sum, padding(files[i].size), &sum))
			return false;
	}
	*ret = sum;
	return true;
}

static size_t take(struct piece *p, uint8_t *to, size_t n)
{
	size_t part = p->n - p->at < n ? p->n - p->at : n;

	memcpy(to, p->bytes + p->at, part);
	p->at += part;
	return part;
}

static void begin_file(struct targz *t)
{
	const struct targz_file *f = &t->files[t->next++];

	make_entry(&t->entry, f);
	t->file_at = 0;
	t->file_left = f->size;
	t->zeros = padding(f->size) + (t->next == t->n ? TAR_END : 0);
}

static int read_file(struct targz *t, uint8_t *to, size_t n, struct err *e)
{
	int r = t->read(t->cls, t->next - 1, t->file_at, to, n, e);

	t->file_at += n;
	t->file_left -= n;
	return r;
}

/* The next bytes of the tar, of which as many are left. */
static int read_tar(struct targz *t, uint8_t *to, size_t n, struct err *e)
{
	int r = 0;

	while (r == 0 && n > 0) {
		size_t part = take(&t->entry, to, n);
		if (part == 0 && t->file_left > 0) {
			part = t->file_left < n ? (size_t)t->file_left : n;
			r = read_file(t, to, part, e);
		} else if (part == 0 && t->zeros > 0) {
			part = t->zeros < n ? t->zeros : n;
			memset(to, 0, part);
			t->zeros -= part;
		} else if (part == 0) {
			begin_file(t);
		}
		to += part;
		n -= part;
	}
	return r;
}

/* ---- gzip ---- */

static void put_le(struct piece *p, uint32_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p->bytes[p->n++] = (uint8_t)(value >> 8 * i);
}

static void add_gzip_head(struct piece *p)
{
	static const uint8_t head[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

	memcpy(p->bytes, head, sizeof(head));
	p->n = sizeof(head);
}

static void begin_block(struct targz *t)
{
	t->block_left = t->tar_left < STORED_MAX ? (size_t)t->tar_left : STORED_MAX;
	t->tar_left -= t->block_left;
	t->gzip.n = t->gzip.at = 0;
	put_le(&t->gzip, t->tar_left == 0, 1);
	put_le(&t->gzip, (uint32_t)t->block_left, 2);
	put_le(&t->gzip, ~(uint32_t)t->block_left, 2);
}

static void begin_trailer(struct targz *t)
{
	t->gzip.n = t->gzip.at = 0;
	put_le(&t->gzip, t->crc, 4);
	put_le(&t->gzip, (uint32_t)t->tar_size, 4);
}

static int read_block(struct targz *t, uint8_t *to, size_t n, struct err *e)
{
	int r = read_tar(t, to, n, e);

	if (r < 0)
		return r;
	t->crc = (uint32_t)crc32(t->crc, to, (uInt)n);
	t->block_left -= n;
	if (t->block_left == 0 && t->tar_left == 0)
		begin_trailer(t);
	return 0;
}

int targz_read(struct targz *t, void *to, size_t n, struct err *e)
{
	uint8_t *p = to;
	int r = 0;

	assert(n <= t->left);
	t->left -= n;
	while (r == 0 && n > 0) {
		size_t part = take(&t->gzip, p, n);
		if (part == 0 && t->block_left > 0) {
			part = t->block_left < n ? t->block_left : n;
			r = read_block(t, p, part, e);
		} else if (part == 0) {
			begin_block(t);
		}
		p += part;
		n -= part;
	}
	return r;
}

/* ---- life ---- */

static int sizes(const struct targz_file *files, size_t n, uint64_t *ret_tar, uint64_t *ret,
	struct err *e)
{
	uint64_t tar, heads, sum;

	if (!tar_size(files, n, &tar) ||
		!num_mul((tar - 1) / STORED_MAX + 1, STORED_HEAD, &heads) ||
		!num_add(tar, heads, &sum) || !num_add(sum, GZIP_HEAD + GZIP_TRAILER, &sum))
		return err_set(e, ERR_TOO_LARGE, "these files are too much for an archive");
	*ret_tar = tar;
	*ret = sum;
	return 0;
}

int targz_size(const struct targz_file *files, size_t n, uint64_t *ret, struct err *e)
{
	uint64_t tar;

	return sizes(files, n, &tar, ret, e);
}

int targz_new(const struct targz_file *files, size_t n, targz_read_fn *read, void *cls,
	struct targz **ret, struct err *e)
{
	CLEANUP_FREE struct targz *t = calloc(1, sizeof(*t));
	int r = t ? sizes(files, n, &t->tar_size, &t->left, e) : err_nomem(e);

	if (r < 0)
		return r;
	t->files = files;
	t->n = n;
	t->read = read;
	t->cls = cls;
	t->tar_left = t->tar_size;
	t->zeros = n == 0 ? TAR_END : 0;
	add_gzip_head(&t->gzip);
	*ret = take_ptr(t);
	return 0;
}

void targz_free(struct targz *t)
{
	free(t);
}

uint64_t targz_left(const struct targz *t)
{
	return t->left;
}
