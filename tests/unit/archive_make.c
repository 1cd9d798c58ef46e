/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/archive_make.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 512

/* ---- tar ---- */

static void pad(struct buf *out, size_t n)
{
	while (n++ % BLOCK)
		buf_add_char(out, '\0');
}

static void octal(char *field, size_t n, uint64_t value)
{
	(void)snprintf(field, n, "%0*llo", (int)n - 1, (unsigned long long)value);
}

void make_tar(struct buf *out, const struct make_tar *t)
{
	char h[BLOCK] = {0};
	unsigned sum = 0;

	(void)snprintf(h, 100, "%s", t->name);
	octal(h + 100, 8, t->type == MAKE_TAR_DIR ? 0755 : 0644);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, t->lies ? t->says : t->n);
	octal(h + 136, 12, 0);
	memset(h + 148, ' ', 8);
	h[156] = t->type ? t->type : MAKE_TAR_FILE;
	if (t->link)
		(void)snprintf(h + 157, 100, "%s", t->link);
	memcpy(h + 257, t->type == MAKE_TAR_SPARSE ? "ustar  " : "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum + t->bad_sum);
	buf_add(out, h, BLOCK);
	if (t->n > 0)
		buf_add(out, t->data, t->n);
	pad(out, t->n);
}

void make_tar_text(struct buf *out, const char *name, const char *text)
{
	make_tar(out, &(struct make_tar){.name = name, .data = text, .n = strlen(text)});
}

void make_tar_pax(struct buf *out, const char *key, const char *value)
{
	size_t n = strlen(key) + strlen(value) + 3;
	CLEANUP_BUF struct buf record = BUF_INIT(1 << 20);
	size_t digits = 1;

	for (size_t ten = 10; n + digits >= ten; ten *= 10)
		digits++;
	buf_addf(&record, "%zu %s=%s\n", n + digits, key, value);
	make_tar(out,
		&(struct make_tar){.name = "PaxHeaders/x",
			.type = MAKE_TAR_PAX,
			.data = record.data,
			.n = record.len});
}

void make_tar_end(struct buf *out)
{
	for (size_t i = 0; i < 2 * BLOCK; i++)
		buf_add_char(out, '\0');
}

/* ---- checksums, numbers, bits ---- */

static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
	}
	return ~crc;
}

static void le16(struct buf *out, size_t value)
{
	buf_add_char(out, (char)value);
	buf_add_char(out, (char)(value >> 8));
}

static void le32(struct buf *out, size_t value)
{
	le16(out, value);
	le16(out, value >> 16);
}

struct bits {
	struct buf *out;
	unsigned value, n;
};

static void put(struct bits *b, unsigned value, unsigned n)
{
	b->value |= value << b->n;
	for (b->n += n; b->n >= 8; b->n -= 8) {
		buf_add_char(b->out, (char)b->value);
		b->value >>= 8;
	}
}

/* Huffman codes go most significant bit first. */
static void put_code(struct bits *b, unsigned code, unsigned n)
{
	while (n-- > 0)
		put(b, code >> n & 1, 1);
}

/* RFC 1951 3.2.6, the fixed codes: a zero, then copies of 258 bytes from one before. */
size_t make_zip_zeros(struct buf *out, size_t n, unsigned *ret_crc)
{
	static const uint8_t zeros[258];
	struct bits b = {out, 0, 0};
	size_t made = 1;

	put(&b, 1, 1);
	put(&b, 1, 2);
	put_code(&b, 0x30, 8);
	if (ret_crc)
		*ret_crc = crc_add(0, zeros, 1);
	for (; made < n; made += sizeof(zeros)) {
		put_code(&b, 0xC5, 8);
		put_code(&b, 0, 5);
		if (ret_crc)
			*ret_crc = crc_add(*ret_crc, zeros, sizeof(zeros));
	}
	put_code(&b, 0, 7);
	put(&b, 0, 7);
	return made;
}

/* ---- gzip ---- */

static void gzip_head(struct buf *out)
{
	buf_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
}

void make_gzip(struct buf *out, const void *data, size_t n)
{
	const uint8_t *p = data;

	gzip_head(out);
	for (size_t at = 0, piece; at < n || n == 0; at += piece) {
		piece = n - at < 65535 ? n - at : 65535;
		buf_add_char(out, at + piece == n);
		le16(out, piece);
		le16(out, ~piece);
		if (piece > 0)
			buf_add(out, p + at, piece);
		if (n == 0)
			break;
	}
	le32(out, crc_add(0, p, n));
	le32(out, n);
}

void make_gzip_zeros(struct buf *out, size_t n, bool sound)
{
	unsigned crc = 0;

	gzip_head(out);
	n = make_zip_zeros(out, n, sound ? &crc : NULL);
	le32(out, crc);
	le32(out, n);
}

/* ---- zip (APPNOTE.TXT 4.3) ---- */

static void zip_common(struct buf *out, const struct make_zip *z, unsigned flags, size_t crc,
	size_t n, size_t unpacked)
{
	le16(out, 20);
	le16(out, flags);
	le16(out, z->method);
	le32(out, 0x21);
	le32(out, crc);
	le32(out, n);
	le32(out, unpacked);
	le16(out, strlen(z->name));
	le16(out, 0);
}

void make_zip(struct buf *out, struct make_zip_list *list, const struct make_zip *z)
{
	size_t unpacked = z->unpacked_n ? z->unpacked_n : z->n;
	size_t crc = z->crc ? z->crc : crc_add(0, z->data, z->n);
	bool behind = z->flags & 8;

	if (list->n == 0)
		buf_init(&list->central, 64 << 20);
	if (!z->only_listed) {
		list->last = out->len;
		buf_add(out, "PK\3\4", 4);
		zip_common(out, z, z->flags, behind ? 0 : crc, behind ? 0 : z->n,
			behind ? 0 : unpacked);
		buf_add_str(out, z->name);
		if (z->n > 0)
			buf_add(out, z->data, z->n);
	}
	if (behind) {
		buf_add(out, "PK\7\10", 4);
		le32(out, crc);
		le32(out, z->n);
		le32(out, unpacked);
	}
	buf_add(&list->central, "PK\1\2", 4);
	le16(&list->central, z->mode ? 3 << 8 | 20 : 20);
	zip_common(&list->central, z, z->flags, crc, z->n, unpacked);
	le16(&list->central, 0);
	le16(&list->central, 0);
	le16(&list->central, 0);
	le32(&list->central, (size_t)z->mode << 16);
	le32(&list->central, list->last);
	buf_add_str(&list->central, z->name);
	list->n++;
}

void make_zip_text(struct buf *out, struct make_zip_list *list, const char *name, const char *text)
{
	make_zip(out, list, &(struct make_zip){.name = name, .data = text, .n = strlen(text)});
}

void make_zip_end(struct buf *out, struct make_zip_list *list, const char *comment)
{
	size_t at = out->len;

	if (list->central.len > 0)
		buf_add(out, list->central.data, list->central.len);
	buf_add(out, "PK\5\6\0\0\0\0", 8);
	le16(out, list->n);
	le16(out, list->n);
	le32(out, list->central.len);
	le32(out, at);
	le16(out, strlen(comment));
	buf_add_str(out, comment);
	buf_done(&list->central);
	*list = (struct make_zip_list){.n = 0};
}
