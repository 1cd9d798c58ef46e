/* SPDX-License-Identifier: Apache-2.0 */
/* Coded forms against what they are forms of. */
#include "common/registry/registry_fsck_forms.h"
#include "common/ingest/decode.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_verify.h"
#include "common/store/catalog_variant.h"

#include <stdio.h>

struct decoding {
	struct digest_ctx *coded, *plain;
	struct decode *decoder;
	bool is_wrong; /* the bytes do not decode, or not to the right ones */
	struct err why;
};

static int hash_plain(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct decoding *d = cls;

	return digest_ctx_update(d->plain, bytes, n, e);
}

/* All of the bytes are read even when they do not decode: whether they are those that were kept is
 * another question, which comes first. */
static int decode_piece(void *cls, const uint8_t *bytes, size_t n, struct err *e)
{
	struct decoding *d = cls;
	int r = digest_ctx_update(d->coded, bytes, n, e);

	if (r == 0 && !d->is_wrong)
		d->is_wrong = decode_write(d->decoder, bytes, n, &d->why) < 0;
	return r;
}

/* True in *ret_told when the bytes themselves are damaged, which is known as of any blob. */
static int decode_form(struct registry *r, const struct catalog_variant_row *row,
	struct decoding *d, bool *ret_told, struct err *e)
{
	struct digest coded, plain;
	int x = blobs_read(r->blobs, &row->form.key, row->form.size, decode_piece, d, e);

	*ret_told = x < 0 && registry_verify_is_fault(e);
	if (x < 0)
		return *ret_told ? 0 : x;
	if (!d->is_wrong)
		d->is_wrong = decode_finish(d->decoder, &d->why) < 0;
	x = digest_ctx_finish(d->coded, &coded, e);
	if (x == 0)
		x = digest_ctx_finish(d->plain, &plain, e);
	if (x < 0)
		return x;
	*ret_told = !digest_eq(&coded, &row->form.digest);
	if (!d->is_wrong && !digest_eq(&plain, &row->of.digest)) {
		d->is_wrong = true;
		(void)err_set(&d->why, ERR_CORRUPT, "they decode to other bytes");
	}
	if (!d->is_wrong || d->why.code == ERR_CORRUPT)
		return 0;
	*e = d->why;
	return -(int)e->code;
}

static void decoding_done(struct decoding *d)
{
	decode_free(d->decoder);
	digest_ctx_free(d->coded);
	digest_ctx_free(d->plain);
}

static int find_wrong_bytes(struct registry *r, const struct catalog_variant_row *row,
	enum encode_coding coding, char *fault, size_t max, struct err *e)
{
	CLEANUP(decoding_done) struct decoding d = {.is_wrong = false};
	char key[BLOB_KEY_TEXT];
	bool told = false;
	int x = digest_ctx_new(&d.coded, e);

	if (x == 0)
		x = digest_ctx_new(&d.plain, e);
	if (x == 0)
		x = decode_new(coding, row->of.size, hash_plain, &d, &d.decoder, e);
	if (x == 0)
		x = decode_form(r, row, &d, &told, e);
	if (x == 0 && d.is_wrong && !told)
		(void)snprintf(fault, max, "blobs/.../%s is not what it should be, coded: %.400s",
			blob_key_text(&row->form.key, key), d.why.text);
	return x;
}

static int find_fault(struct registry *r, const struct catalog_variant_row *row, bool quick,
	char fault[REGISTRY_VERIFY_FAULT], struct err *e)
{
	enum encode_coding coding;
	char key[BLOB_KEY_TEXT];

	*fault = '\0';
	(void)blob_key_text(&row->form.key, key);
	if (!encode_parse(row->coding, &coding))
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT,
			"blobs/.../%s has a coding that is not known, %s", key, row->coding);
	else if (row->chained)
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT,
			"blobs/.../%s is a coded form that has coded forms", key);
	else if (!quick)
		return find_wrong_bytes(r, row, coding, fault, REGISTRY_VERIFY_FAULT, e);
	return 0;
}

static int check_form(struct registry *r, const struct catalog_variant_row *row,
	const struct registry_fsck_forms *how, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(REGISTRY_VERIFY_LINE_MAX);
	char fault[REGISTRY_VERIFY_FAULT];
	enum catalog_key_state state;
	int x = find_fault(r, row, how->quick, fault, e);

	if (x < 0 || !*fault)
		return x;
	x = catalog_key_state(r->catalog, &row->form.key, &state, e);
	if (x < 0 || state != CATALOG_KEY_LIVE) /* meanwhile */
		return x;
	x = registry_verify_line(r, &row->form, fault, &line, e);
	return x < 0 ? x : how->tell(how->cls, buf_str(&line), e);
}

int registry_fsck_forms(struct registry *r, const struct registry_fsck_forms *how, struct err *e)
{
	CLEANUP_FREE struct catalog_variant_row *rows = calloc(CATALOG_VARIANT_BATCH,
		sizeof(*rows));
	struct catalog_variant_cursor at = {.ended = false};
	int x = rows ? 0 : err_nomem(e);

	while (x == 0 && !at.ended) {
		size_t n = 0;
		x = catalog_variant_list(r->catalog, &at, rows, &n, e);
		for (size_t i = 0; x == 0 && i < n; i++)
			x = check_form(r, &rows[i], how, e);
	}
	return x;
}
