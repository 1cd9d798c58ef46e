/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/archive.h"
#include "common/base/num.h"
#include "common/ingest/inflate.h"
#include "common/ingest/ingest.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdio.h>

#define WINDOW     (64 * KIB) /* handed to libarchive at a time */
#define TAR_BLOCK  512
#define NAME_SHOWN 200

/* The end record of a zip, and how far from the end libarchive looks for it. */
#define ZIP_END        22
#define ZIP_END_WITHIN (16 * KIB)
#define ZIP_COUNT_WIDE 0xFFFF /* the true count stands elsewhere */

/* ---- what libarchive reads ---- */

struct reading {
	const struct archive_source *source;
	uint64_t at;          /* of the next byte of the source */
	uint8_t *window;      /* WINDOW bytes of it, the last that were read */
	struct inflate *gzip; /* NULL: the source is the stream */
	struct str packed;    /* with gzip, of the window: what was not unpacked so far */
	uint8_t *unpacked;    /* with gzip, WINDOW bytes */
	uint64_t given;       /* bytes of the stream that were handed over */
	uint64_t not_zero;    /* bytes up to the last of them that is not zero */
	uint64_t head_left;   /* may still be read for the head under way; see begin_head() */
	struct err failure;   /* ERR_NONE until the first one */
};

struct unpacking {
	enum archive_kind kind;
	const struct archive_limits *limits;
	const struct archive_files *files;
	void *cls;
	struct reading reading;
	struct archive *archive;
	uint64_t entries;
	uint64_t announced; /* entries of a zip by its end record; UINT64_MAX: it does not say */
	uint64_t bytes;     /* of data, skipped entries included */
	uint64_t tar_end;   /* where the last entry of a tar ends */
	char name[NAME_SHOWN + 1]; /* of the entry, for messages */
};

/* `ret->n` is 0 at the end. */
static int next_window(struct reading *r, struct str *ret, struct err *e)
{
	uint64_t left = r->source->n - r->at;
	size_t n = (size_t)(left < WINDOW ? left : WINDOW);
	int x = n > 0 ? r->source->read(r->source->cls, r->at, r->window, n, e) : 0;

	if (x < 0)
		return x;
	r->at += n;
	*ret = (struct str){(const char *)r->window, n};
	return 0;
}

static int unpack_window(struct reading *r, struct str *ret, struct err *e)
{
	bool at_end = false;
	size_t n = 0;
	int x = 0;

	while (x == 0 && n == 0 && !at_end) {
		if (r->packed.n == 0)
			x = next_window(r, &r->packed, e);
		at_end = r->packed.n == 0;
		if (x == 0)
			x = inflate_step(r->gzip, &r->packed, r->unpacked, WINDOW, &n, e);
	}
	*ret = (struct str){(const char *)r->unpacked, n};
	return x == 0 && n == 0 ? inflate_finish(r->gzip, e) : x;
}

static void note_zeros(struct reading *r, struct str window)
{
	size_t n = window.n;

	while (n > 0 && window.p[n - 1] == 0)
		n--;
	if (n > 0)
		r->not_zero = r->given + n;
	r->given += window.n;
}

static int charge_head(struct reading *r, size_t n, struct err *e)
{
	if (n > r->head_left)
		return err_set(e, ERR_BAD_ARCHIVE,
			"the headers of an entry, or the directory of the archive, are too large");
	if (r->head_left != UINT64_MAX)
		r->head_left -= n;
	return 0;
}

static int read_window(struct reading *r, struct str *ret, struct err *e)
{
	int x = r->gzip ? unpack_window(r, ret, e) : next_window(r, ret, e);

	if (x == 0)
		x = charge_head(r, ret->n, e);
	if (x < 0) {
		r->failure = *e;
		return x;
	}
	note_zeros(r, *ret);
	return 0;
}

static la_ssize_t on_read(struct archive *a, void *cls, const void **ret)
{
	struct str window;
	struct err e;

	if (read_window(cls, &window, &e) < 0) {
		archive_set_error(a, EINVAL, "%s", e.text);
		return ARCHIVE_FATAL;
	}
	*ret = window.p;
	return (la_ssize_t)window.n;
}

static la_int64_t on_seek(struct archive *a, void *cls, la_int64_t offset, int whence)
{
	struct reading *r = cls;
	la_int64_t base = whence == SEEK_SET ? 0
		: whence == SEEK_CUR         ? (la_int64_t)r->at
					     : (la_int64_t)r->source->n;
	la_int64_t to;

	if (__builtin_add_overflow(base, offset, &to) || to < 0 || (uint64_t)to > r->source->n) {
		archive_set_error(a, EINVAL, "it points outside of itself");
		return ARCHIVE_FATAL;
	}
	r->at = (uint64_t)to;
	return to;
}

/* ---- saying what is wrong ---- */

static const char *kind_text(enum archive_kind kind)
{
	return kind == ARCHIVE_KIND_ZIP ? "zip" : kind == ARCHIVE_KIND_TAR ? "tar" : "tar.gz";
}

/* Something else than what its media type says is the common mistake. */
static int check_kind(enum archive_kind kind, const struct archive_source *s, struct err *e)
{
	char magic[4] = {0};
	const char *is = NULL;
	int r;

	if (s->n == 0)
		return err_set(e, ERR_BAD_ARCHIVE, "the archive has no bytes");
	r = s->read(s->cls, 0, magic, s->n < sizeof(magic) ? (size_t)s->n : sizeof(magic), e);
	if (r < 0)
		return r;
	if (memcmp(magic, "\x1f\x8b", 2) == 0 && kind != ARCHIVE_KIND_TAR_GZ)
		is = "gzip";
	else if (memcmp(magic, "PK\3\4", 4) == 0 && kind != ARCHIVE_KIND_ZIP)
		is = "a zip";
	if (!is)
		return 0;
	return err_set(e, ERR_BAD_ARCHIVE, "the body is %s, while its type says %s", is,
		kind_text(kind));
}

/* After libarchive refused: our own failure inside it comes first. */
static int refused(const struct unpacking *u, struct err *e)
{
	const char *why = archive_error_string(u->archive);

	if (u->reading.failure.code != ERR_NONE) {
		*e = u->reading.failure;
		return -(int)e->code;
	}
	if (archive_errno(u->archive) == ENOMEM)
		return err_nomem(e);
	if (u->entries == 0)
		return err_set(e, ERR_BAD_ARCHIVE, "this is no %s archive, or a damaged one: %s",
			kind_text(u->kind), why ? why : "no reason given");
	return err_set(e, ERR_BAD_ARCHIVE,
		"the archive is damaged at or behind the entry \"%s\": %s", u->name,
		why ? why : "no reason given");
}

static int refuse_entry(const struct unpacking *u, const char *rule, struct err *e)
{
	return err_set(e, ERR_BAD_ARCHIVE, "the entry \"%s\" %s", u->name, rule);
}

/* ---- one entry ---- */

static const char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : archive_entry_pathname_utf8(entry);
}

static bool is_link(struct archive_entry *entry)
{
	return archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry) ||
		archive_entry_filetype(entry) == AE_IFLNK;
}

/* libarchive would undo more of them in a zip, each with a reader of its own. */
static bool is_packed_otherwise(const struct unpacking *u)
{
	const char *format = archive_format_name(u->archive);

	return u->kind == ARCHIVE_KIND_ZIP &&
		(!format || !(strstr(format, "(uncompressed)") || strstr(format, "(deflation)")));
}

static int check_entry(const struct unpacking *u, struct archive_entry *entry, struct err *e)
{
	mode_t type = archive_entry_filetype(entry);

	if (!u->name[0])
		return refuse_entry(u, "has no name", e);
	if (is_link(entry))
		return refuse_entry(u, "is a link; only files are taken", e);
	if (type != AE_IFREG && type != AE_IFDIR)
		return refuse_entry(u, "is a device, a pipe or a socket; only files are taken", e);
	if (archive_entry_is_encrypted(entry))
		return refuse_entry(u, "is encrypted", e);
	if (archive_entry_sparse_count(entry) > 0)
		return refuse_entry(u, "is a sparse file; pack it without --sparse", e);
	if (is_packed_otherwise(u))
		return refuse_entry(u, "is compressed in another way than by deflate", e);
	return 0;
}

/* What the Finder and Apple's tar leave beside files. */
static bool is_dropping(const char *name)
{
	const char *base = strrchr(name, '/');

	while (strncmp(name, "./", 2) == 0)
		name += 2;
	base = base ? base + 1 : name;
	return strncmp(name, "__MACOSX/", 9) == 0 || strncmp(base, "._", 2) == 0 ||
		strcmp(base, ".DS_Store") == 0;
}

static bool is_wanted(struct archive_entry *entry)
{
	return archive_entry_filetype(entry) == AE_IFREG && !is_dropping(name_of(entry));
}

static int take_data(struct unpacking *u, const void *bytes, size_t n, bool wanted, struct err *e)
{
	int r = 0;

	u->bytes += n;
	if (u->kind == ARCHIVE_KIND_ZIP)
		r = ingest_check_expansion("the zip", u->reading.source->n, u->bytes,
			u->limits->max_expansion, e);
	return r == 0 && wanted && n > 0 ? u->files->data(u->cls, bytes, n, e) : r;
}

/* All of it passes here, of skipped entries too, so that it is counted. */
static int read_data(struct unpacking *u, bool wanted, uint64_t *ret_n, struct err *e)
{
	const void *bytes;
	la_int64_t offset;
	size_t n;
	int x, r;

	*ret_n = 0;
	while ((x = archive_read_data_block(u->archive, &bytes, &n, &offset)) == ARCHIVE_OK) {
		if ((uint64_t)offset != *ret_n)
			return refuse_entry(u, "is a sparse file; pack it without --sparse", e);
		r = take_data(u, bytes, n, wanted, e);
		if (r < 0)
			return r;
		*ret_n += n;
	}
	return x == ARCHIVE_EOF ? 0 : refused(u, e);
}

static int check_size(const struct unpacking *u, struct archive_entry *entry, uint64_t n,
	struct err *e)
{
	if (archive_entry_size_is_set(entry) && (uint64_t)archive_entry_size(entry) != n)
		return refuse_entry(u, "has not as many bytes as its header says", e);
	return 0;
}

static int take_entry(struct unpacking *u, struct archive_entry *entry, struct err *e)
{
	int r = check_entry(u, entry, e);
	bool wanted = r == 0 && is_wanted(entry);
	uint64_t n = 0;

	if (wanted)
		r = u->files->begin(u->cls, str_of(name_of(entry)), e);
	if (r == 0)
		r = read_data(u, wanted, &n, e);
	if (r == 0)
		r = check_size(u, entry, n, e);
	if (r == 0 && wanted)
		r = u->files->end(u->cls, e);
	return r;
}

/* ---- the archive ---- */

/* What is read from here on is for headers, which libarchive keeps in memory. A window may have
 * been begun before, and one more may be needed. */
static void begin_head(struct unpacking *u)
{
	u->reading.head_left = 2 * WINDOW +
		(u->kind == ARCHIVE_KIND_ZIP ? ARCHIVE_ZIP_LIST_MAX : ARCHIVE_TAR_HEAD_MAX);
}

static int count_entry(struct unpacking *u, struct archive_entry *entry, struct err *e)
{
	const char *name = name_of(entry);

	u->reading.head_left = UINT64_MAX;
	(void)snprintf(u->name, sizeof(u->name), "%s", name ? name : "");
	if (++u->entries > u->limits->max_entries)
		return err_set(e, ERR_TOO_LARGE,
			"the archive has more than %llu entries, the limit",
			(unsigned long long)u->limits->max_entries);
	return 0;
}

static uint64_t round_to_block(uint64_t n)
{
	return (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* A warning is about a header that another reader may take for another one; often what it is about
 * is refused anyway, and has a better name. */
static int refuse_warned(const struct unpacking *u, struct archive_entry *entry, struct err *e)
{
	int r = check_entry(u, entry, e);

	return r < 0 ? r : refused(u, e);
}

static int take_entries(struct unpacking *u, struct err *e)
{
	struct archive_entry *entry;
	int x, r;

	for (;;) {
		begin_head(u);
		x = archive_read_next_header(u->archive, &entry);
		if (x == ARCHIVE_EOF)
			return 0;
		if (x != ARCHIVE_OK && x != ARCHIVE_WARN)
			return refused(u, e);
		r = count_entry(u, entry, e);
		if (r == 0)
			r = x == ARCHIVE_OK ? take_entry(u, entry, e) : refuse_warned(u, entry, e);
		if (r < 0)
			return r;
		u->tar_end = round_to_block((uint64_t)archive_filter_bytes(u->archive, 0));
	}
}

/* libarchive stops at the first block of zeros, and takes an end without one for an end. */
static int check_tar_end(struct unpacking *u, struct err *e)
{
	struct str window;
	int r;

	u->reading.head_left = UINT64_MAX;
	do {
		r = read_window(&u->reading, &window, e);
	} while (r == 0 && window.n > 0);
	if (r < 0)
		return r;
	if (u->reading.not_zero > u->tar_end)
		return err_set(e, ERR_BAD_ARCHIVE, "something follows the end of the archive");
	if (u->reading.given < u->tar_end + TAR_BLOCK)
		return err_set(e, ERR_BAD_ARCHIVE,
			"the archive is cut off: it has no end mark behind the entry \"%s\"",
			u->name);
	return 0;
}

static unsigned le16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static bool all_zeros(const uint8_t *p, uint64_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* The end record with its comment is the last thing in a zip (APPNOTE.TXT 4.3.16); only zeros, with
 * which bsdtar fills a block, may follow. */
static const uint8_t *end_record(const uint8_t *tail, size_t n)
{
	for (size_t back = ZIP_END; back <= n; back++) {
		const uint8_t *p = tail + (n - back);
		size_t record = ZIP_END + le16(p + 20);
		if (memcmp(p, "PK\5\6", 4) == 0 && record <= back &&
			all_zeros(p + record, back - record))
			return p;
	}
	return NULL;
}

static int find_zip_end(struct unpacking *u, struct err *e)
{
	const struct archive_source *s = u->reading.source;
	size_t n = (size_t)(s->n < ZIP_END_WITHIN ? s->n : ZIP_END_WITHIN);
	int r = s->read(s->cls, s->n - n, u->reading.window, n, e);
	const uint8_t *record = r == 0 ? end_record(u->reading.window, n) : NULL;

	if (r < 0)
		return r;
	if (!record)
		return err_set(e, ERR_BAD_ARCHIVE,
			"there is no zip directory at the end: it is no zip, is cut off, or "
			"something follows it");
	u->announced = le16(record + 10) == ZIP_COUNT_WIDE ? UINT64_MAX : le16(record + 10);
	return 0;
}

/* Entries that begin at one place are one to libarchive. */
static int check_zip_count(const struct unpacking *u, struct err *e)
{
	if (u->announced != UINT64_MAX && u->announced != u->entries)
		return err_set(e, ERR_BAD_ARCHIVE,
			"the zip announces %llu entries, while %llu are in it",
			(unsigned long long)u->announced, (unsigned long long)u->entries);
	return 0;
}

/* ---- open and close ---- */

static int open_archive(struct unpacking *u, struct err *e)
{
	struct archive *a = archive_read_new();
	int x = ARCHIVE_OK;

	if (!a)
		return err_nomem(e);
	u->archive = a;
	if (u->kind == ARCHIVE_KIND_ZIP)
		x = archive_read_support_format_zip_seekable(a);
	else
		x = archive_read_support_format_tar(a);
	if (x == ARCHIVE_OK && u->kind == ARCHIVE_KIND_ZIP)
		x = archive_read_set_seek_callback(a, on_seek);
	if (x == ARCHIVE_OK)
		x = archive_read_set_read_callback(a, on_read);
	if (x == ARCHIVE_OK)
		x = archive_read_set_callback_data(a, &u->reading);
	begin_head(u);
	if (x == ARCHIVE_OK)
		x = archive_read_open1(a);
	return x == ARCHIVE_OK ? 0 : refused(u, e);
}

static int open_gzip(struct reading *r, unsigned max_expansion, struct err *e)
{
	r->unpacked = malloc(WINDOW);
	return r->unpacked ? inflate_new("the archive", max_expansion, &r->gzip, e) : err_nomem(e);
}

static void done(struct unpacking *u)
{
	if (u->archive)
		(void)archive_read_free(u->archive);
	inflate_free(u->reading.gzip);
	free(u->reading.unpacked);
	free(u->reading.window);
}

static int unpack(struct unpacking *u, struct err *e)
{
	int r = check_kind(u->kind, u->reading.source, e);

	u->reading.window = malloc(WINDOW);
	if (r == 0 && !u->reading.window)
		return err_nomem(e);
	if (r == 0 && u->kind == ARCHIVE_KIND_TAR_GZ)
		r = open_gzip(&u->reading, u->limits->max_expansion, e);
	if (r == 0 && u->kind == ARCHIVE_KIND_ZIP)
		r = find_zip_end(u, e);
	if (r == 0)
		r = open_archive(u, e);
	if (r == 0)
		r = take_entries(u, e);
	if (r < 0)
		return r;
	return u->kind == ARCHIVE_KIND_ZIP ? check_zip_count(u, e) : check_tar_end(u, e);
}

/* Names in a tar are UTF-8 by pax or by custom; libarchive converts by the locale of the thread,
 * and in the "C" locale would refuse what is not ASCII. */
int archive_unpack(enum archive_kind kind, const struct archive_source *source,
	const struct archive_limits *limits, const struct archive_files *files, void *cls,
	struct err *e)
{
	CLEANUP(done)
	struct unpacking u = {
		.kind = kind,
		.limits = limits,
		.files = files,
		.cls = cls,
		.reading = {.source = source, .head_left = UINT64_MAX},
	};
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	int r = unpack(&u, e);

	if (utf8) {
		(void)uselocale(before);
		freelocale(utf8);
	}
	return r;
}
