/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json/json_write.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "common/model/modeljson_spot.h"

struct rewrite {
	struct modeljson_spot_state spot;
	const char *bytes;
	size_t copied; /* bytes of the original that are in `out` or replaced */
	const char *prefix;
	struct buf *out;
};

static int replace_path(struct rewrite *rw, const struct json_token *t, struct err *e)
{
	/* never longer than its quoted form */
	CLEANUP_BUF struct buf path = BUF_INIT(strlen(rw->prefix) + t->n);
	CLEANUP_BUF struct buf full = BUF_INIT(strlen(rw->prefix) + t->n);
	struct json_write w;
	struct str stripped;

	json_scan_unquote(rw->bytes + t->offset, t->n, &path);
	stripped = filepath_strip((struct str){buf_str(&path), path.len});
	buf_add_str(&full, rw->prefix);
	buf_add(&full, stripped.p, stripped.n);
	if (buf_failed(&path) || buf_failed(&full))
		return err_nomem(e);
	buf_add(rw->out, rw->bytes + rw->copied, t->offset - rw->copied);
	json_write_init(&w, rw->out);
	json_write_str(&w, NULL, buf_str(&full));
	rw->copied = t->offset + t->n;
	return 0;
}

static int rewrite_token(void *cls, const struct json_token *t, struct err *e)
{
	struct rewrite *rw = cls;
	enum modeljson_spot spot;
	int r;

	r = modeljson_spot_next(&rw->spot, rw->bytes, t, &spot, e);
	if (r < 0 || spot != MODELJSON_SPOT_PATH)
		return r;
	return replace_path(rw, t, e);
}

int modeljson_rewrite_paths(const char *bytes, size_t n, const char *prefix, struct buf *out,
	struct err *e)
{
	struct rewrite rw = {.bytes = bytes, .prefix = prefix, .out = out};
	int r;

	r = json_scan(bytes, n, &JSON_LIMITS_MODEL, rewrite_token, &rw, e);
	if (r < 0)
		return r;
	buf_add(out, bytes + rw.copied, n - rw.copied);
	return buf_check(out, FILEPATH_MODEL " with rewritten paths", e);
}
