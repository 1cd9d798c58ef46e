/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_verify.h"
#include "common/registry/registry_internal.h"

#include <stdio.h>

#define HOLDERS_MAX (8u << 10)

struct verify {
	const struct registry_verify *how;
	struct digest_ctx *hash;
};

static int take_piece(void *cls, const uint8_t *bytes, size_t n, struct err *e)
{
	struct verify *x = cls;
	int r = digest_ctx_update(x->hash, bytes, n, e);

	return r == 0 && x->how->pace ? x->how->pace(x->how->cls, n, e) : r;
}

static int hash_blob(struct registry *r, const struct catalog_blob *blob,
	const struct registry_verify *how, struct digest *ret, struct err *e)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *hash = NULL;
	int x = digest_ctx_new(&hash, e);
	struct verify v = {.how = how, .hash = hash};

	if (x == 0)
		x = blobs_read(r->blobs, &blob->key, blob->size, take_piece, &v, e);
	return x < 0 ? x : digest_ctx_finish(hash, ret, e);
}

static int open_blob(struct registry *r, const struct catalog_blob *blob, struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *bytes = NULL;

	return blobs_open(r->blobs, &blob->key, blob->size, &bytes, e);
}

/* Some of the codes are those of file systems that keep checksums. */
bool registry_verify_is_fault(const struct err *e)
{
	return e->code == ERR_CORRUPT || e->sys_errno == EIO || e->sys_errno == EBADMSG ||
		e->sys_errno == EUCLEAN || e->sys_errno == ENODATA;
}

static int find_fault(struct registry *r, const struct catalog_blob *blob,
	const struct registry_verify *how, char fault[REGISTRY_VERIFY_FAULT], struct err *e)
{
	char key[BLOB_KEY_TEXT], hex[DIGEST_HEX + 1];
	struct digest found = blob->digest;
	struct err why;
	int x = how->quick ? open_blob(r, blob, &why) : hash_blob(r, blob, how, &found, &why);

	*fault = '\0';
	if (x < 0 && !registry_verify_is_fault(&why)) {
		*e = why;
		return x;
	}
	if (x < 0)
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT, "%s", why.text);
	else if (!digest_eq(&found, &blob->digest))
		(void)snprintf(fault, REGISTRY_VERIFY_FAULT,
			"blobs/.../%s has other bytes, with SHA-256 %s",
			blob_key_text(&blob->key, key), digest_hex(&found, hex));
	return 0;
}

int registry_verify_blob(struct registry *r, const struct catalog_blob *blob,
	const struct registry_verify *how, char fault[REGISTRY_VERIFY_FAULT], struct err *e)
{
	enum catalog_key_state state;
	int x = find_fault(r, blob, how, fault, e);

	if (x < 0 || !*fault)
		return x;
	x = catalog_key_state(r->catalog, &blob->key, &state, e);
	if (x == 0 && state != CATALOG_KEY_LIVE) /* meanwhile */
		*fault = '\0';
	return x;
}

int registry_verify_line(struct registry *r, const struct catalog_blob *blob, const char *fault,
	struct buf *line, struct err *e)
{
	CLEANUP_BUF struct buf holders = BUF_INIT(HOLDERS_MAX);
	int x = catalog_holders(r->catalog, &blob->digest, &holders, e);

	if (x < 0)
		return x;
	buf_addf(line, "%s; it is %s", fault,
		holders.len > 0 ? buf_str(&holders) : "held by no version or upload");
	return buf_check(line, "the line about a damaged file", e);
}
