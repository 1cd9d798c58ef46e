/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/rootdigest.h"
#include "common/model/filepath.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define LINE_MAX_BYTES (DIGEST_HEX + 1 + 20 + 1 + FILEPATH_MAX + 1)

static int hash_line(struct digest_ctx *ctx, const struct rootdigest_file *file, struct err *e)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	char hex[DIGEST_HEX + 1];
	int r;

	buf_addf(&line, "%s %" PRIu64 " %s\n", digest_hex(&file->digest, hex), file->size,
		file->path);
	r = buf_check(&line, "the path of a file", e);
	return r < 0 ? r : digest_ctx_update(ctx, line.data, line.len, e);
}

int rootdigest_of(const struct rootdigest_file *sorted, size_t n, struct digest *ret,
	struct err *e)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
	int r = digest_ctx_new(&ctx, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		assert(i == 0 || strcmp(sorted[i - 1].path, sorted[i].path) < 0);
		r = hash_line(ctx, &sorted[i], e);
	}
	return r < 0 ? r : digest_ctx_finish(ctx, ret, e);
}
