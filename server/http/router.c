/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/router.h"

#define QUOTED_PATH_MAX 200 /* longer ones are not repeated in an error, where they would be cut */

/* The decoded path is kept as one text with '/' between segments. That is unambiguous, because a
 * segment whose decoded form holds a slash is refused. */

enum capture_kind { CAPTURE_ONE, CAPTURE_NAME, CAPTURE_REF, CAPTURE_REST };

struct piece { /* one segment of a pattern */
	bool is_capture;
	enum capture_kind kind;
	struct str literal; /* the whole segment, or what is glued to the capture with its ':' */
};

struct captures {
	struct str at[ROUTER_CAPTURES_MAX];
	size_t n;
};

static struct piece read_piece(struct str segment)
{
	static const char marks[] = {'+', '@', '*'};
	static const enum capture_kind kinds[] = {CAPTURE_NAME, CAPTURE_REF, CAPTURE_REST};
	struct piece piece = {.literal = segment};
	const char *close = memchr(segment.p, '}', segment.n);

	if (!str_starts(segment, "{") || !close)
		return piece;
	piece.is_capture = true;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (close[-1] == marks[i])
			piece.kind = kinds[i];
	piece.literal = (struct str){close + 1, segment.n - (size_t)(close + 1 - segment.p)};
	return piece;
}

/* A segment that would be refused on its own is none in front of a literal either. */
static bool ends_with(struct str s, struct str end)
{
	struct str before = {s.p, s.n > end.n ? s.n - end.n : 0};

	if (before.n == 0 || str_eq_c(before, ".") || str_eq_c(before, ".."))
		return false;
	return str_eq((struct str){s.p + before.n, end.n}, end);
}

static bool holds_at(struct str segment)
{
	return memchr(segment.p, '@', segment.n) != NULL;
}

/* May the capture end with this segment, when `rest` is behind it? */
static bool may_end(enum capture_kind kind, struct str segment, struct str rest)
{
	switch (kind) {
	case CAPTURE_REF:
		return holds_at(segment);
	case CAPTURE_REST:
		return !rest.p;
	default:
		return true;
	}
}

static bool may_go_on(enum capture_kind kind, struct str segment)
{
	return kind == CAPTURE_REST || (kind != CAPTURE_ONE && !holds_at(segment));
}

static bool match_here(struct str pattern, struct str path, struct captures *c);

static bool match_capture(struct piece piece, struct str pattern, struct str path,
	struct captures *c)
{
	struct str taken = {path.p, 0}, segment;
	size_t slot = c->n;

	if (slot == ROUTER_CAPTURES_MAX)
		return false;
	while (str_split(&path, '/', &segment)) {
		if (piece.kind == CAPTURE_NAME && holds_at(segment))
			return false;
		taken.n = (size_t)(segment.p + segment.n - taken.p);
		c->n = slot + 1;
		if (may_end(piece.kind, segment, path) && ends_with(segment, piece.literal) &&
			match_here(pattern, path, c)) {
			taken.n -= piece.literal.n;
			c->at[slot] = taken;
			return true;
		}
		if (!may_go_on(piece.kind, segment))
			return false;
	}
	return false;
}

/* Both are what is left, without the slash in front; p == NULL when nothing is left. */
static bool match_here(struct str pattern, struct str path, struct captures *c)
{
	struct str segment;
	struct piece piece;

	if (!str_split(&pattern, '/', &segment))
		return !path.p;
	piece = read_piece(segment);
	if (piece.is_capture)
		return match_capture(piece, pattern, path, c);
	return str_split(&path, '/', &segment) && str_eq(segment, piece.literal) &&
		match_here(pattern, path, c);
}

/* "/a/b" as "a/b", "/" as nothing. */
static struct str without_root(struct str path)
{
	if (path.n <= 1)
		return (struct str){NULL, 0};
	return (struct str){path.p + 1, path.n - 1};
}

static size_t count_literals(const char *pattern)
{
	struct str rest = without_root(str_of(pattern)), segment;
	size_t count = 0;

	while (str_split(&rest, '/', &segment))
		count += read_piece(segment).literal.n > 0;
	return count;
}

static const char *segment_fault(struct str segment)
{
	if (segment.n == 0)
		return "an empty segment";
	if (str_eq_c(segment, ".") || str_eq_c(segment, ".."))
		return "a '.' or '..' segment";
	if (!str_is_utf8(segment))
		return "bytes that are not UTF-8";
	for (size_t i = 0; i < segment.n; i++) {
		uint8_t c = (uint8_t)segment.p[i];
		if (c < 0x20 || c == 0x7F)
			return "a control character";
		if (c == '\\')
			return "a backslash";
		if (c == '/')
			return "an encoded slash";
	}
	return NULL;
}

static int decode_segment(struct str raw, struct buf *text, struct err *e)
{
	size_t start = text->len;
	const char *fault;

	if (!str_percent_decode(raw, text)) {
		if (buf_failed(text))
			return buf_check(text, "the request target", e);
		return err_set(e, ERR_BAD_TARGET, "the path has a malformed %% escape");
	}
	fault = segment_fault((struct str){buf_str(text) + start, text->len - start});
	if (fault)
		return err_set(e, ERR_BAD_TARGET, "the path has %s", fault);
	return 0;
}

/* Appends the decoded path, with its leading slash. */
static int decode_path(struct str path, struct buf *text, struct err *e)
{
	struct str rest = without_root(path), segment;

	if (path.n > ROUTER_TARGET_MAX)
		return err_set(e, ERR_TARGET_TOO_LONG, "the path is longer than %d bytes",
			ROUTER_TARGET_MAX);
	if (!str_starts(path, "/"))
		return err_set(e, ERR_BAD_TARGET, "the path does not start with '/'");
	if (!rest.p)
		buf_add_char(text, '/');
	while (str_split(&rest, '/', &segment)) {
		buf_add_char(text, '/');
		int r = decode_segment(segment, text, e);
		if (r < 0)
			return r;
	}
	return buf_check(text, "the request target", e);
}

static bool same_pattern(const struct router_row *a, const struct router_row *b)
{
	return a->pattern == b->pattern || strcmp(a->pattern, b->pattern) == 0;
}

/* Index of the first row of the pattern that matches best, or `n`. */
static size_t find_pattern(const struct router_row *rows, size_t n, struct str path,
	struct captures *ret)
{
	size_t best = n, best_literals = 0;

	for (size_t i = 0; i < n; i++) {
		struct captures c = {.n = 0};
		if (i > 0 && same_pattern(&rows[i], &rows[i - 1]))
			continue;
		if (!match_here(without_root(str_of(rows[i].pattern)), path, &c))
			continue;
		size_t literals = count_literals(rows[i].pattern);
		if (best < n && literals <= best_literals)
			continue;
		best = i;
		best_literals = literals;
		*ret = c;
	}
	return best;
}

int router_find(const struct router_row *rows, size_t n, unsigned method, struct str path,
	struct router_match *ret, struct err *e)
{
	struct captures captures;
	size_t first;
	int r;

	*ret = (struct router_match){.text = BUF_INIT(ROUTER_TARGET_MAX)};
	r = decode_path(path, &ret->text, e);
	if (r < 0)
		return r;
	path = (struct str){buf_str(&ret->text), ret->text.len};
	first = find_pattern(rows, n, without_root(path), &captures);
	if (first == n)
		return err_set(e, ERR_ROUTE_NOT_FOUND, "there is nothing at %s",
			path.n <= QUOTED_PATH_MAX ? path.p : "this path");
	ret->pattern = rows[first].pattern;
	ret->captures_n = captures.n;
	memcpy(ret->captures, captures.at, captures.n * sizeof(captures.at[0]));
	for (size_t i = first; i < n && same_pattern(&rows[i], &rows[first]); i++) {
		ret->allowed |= rows[i].methods;
		if (!ret->row && (rows[i].methods & method))
			ret->row = &rows[i];
	}
	return 0;
}

void router_match_done(struct router_match *m)
{
	buf_done(&m->text);
}

void router_allow(unsigned methods, struct buf *out)
{
	static const struct {
		unsigned method;
		const char *text;
	} words[] = {
		{METHOD_GET, "GET, HEAD, "}, {METHOD_POST, "POST, "}, {METHOD_PUT, "PUT, "},
		{METHOD_PATCH, "PATCH, "}, {METHOD_DELETE, "DELETE, "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (methods & words[i].method)
			buf_add_str(out, words[i].text);
	buf_add_str(out, "OPTIONS");
}

static bool key_is(struct str raw, const char *key)
{
	CLEANUP_BUF struct buf decoded = BUF_INIT(strlen(key));

	return str_percent_decode(raw, &decoded) && strcmp(buf_str(&decoded), key) == 0;
}

bool router_query(struct str query, const char *key, struct buf *out)
{
	size_t start = out->len;
	struct str pair, name;

	while (str_split(&query, '&', &pair)) {
		if (!str_split(&pair, '=', &name) || !key_is(name, key))
			continue;
		if (!pair.p || str_percent_decode(pair, out))
			return true;
		out->len = start;
		if (out->data)
			out->data[start] = '\0';
		return false;
	}
	return false;
}

bool router_query_has(struct str query, const char *key)
{
	struct str pair, name;

	while (str_split(&query, '&', &pair))
		if (str_split(&pair, '=', &name) && key_is(name, key))
			return true;
	return false;
}
