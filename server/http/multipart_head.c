/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/multipart_head.h"

#define NAME_QUOTED_MAX 64 /* bytes of a header name repeated in an error */

struct text { /* like struct str, for bytes that are decoded in place */
	char *p;
	size_t n;
};

static struct str view(struct text t)
{
	return (struct str){t.p, t.n};
}

static struct text cut(struct text *rest, size_t n)
{
	struct text front = {rest->p, n};

	rest->p += n;
	rest->n -= n;
	return front;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct text *rest)
{
	while (rest->n > 0 && is_blank(rest->p[0]))
		(void)cut(rest, 1);
}

static struct text trim(struct text t)
{
	skip_blanks(&t);
	while (t.n > 0 && is_blank(t.p[t.n - 1]))
		t.n--;
	return t;
}

/* ---- parameters (RFC 9110 5.6.6) ---- */

struct parameter {
	struct str name;
	struct text value;
};

/* `rest` stands behind the opening quote; false when there is no closing one. */
static bool cut_quoted(struct text *rest, struct text *ret)
{
	struct text out = {rest->p, 0};

	while (rest->n > 0) {
		char c = cut(rest, 1).p[0];
		if (c == '"') {
			*ret = out;
			return true;
		}
		if (c == '\\' && rest->n > 0 && (rest->p[0] == '"' || rest->p[0] == '\\'))
			c = cut(rest, 1).p[0];
		out.p[out.n++] = c;
	}
	return false;
}

static bool cut_bare(struct text *rest, struct text *ret)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ';' && rest->p[n] != '"' && !is_blank(rest->p[n]))
		n++;
	*ret = cut(rest, n);
	return n > 0;
}

static bool cut_value(struct text *rest, struct text *ret)
{
	if (rest->n > 0 && rest->p[0] == '"') {
		(void)cut(rest, 1);
		return cut_quoted(rest, ret);
	}
	return cut_bare(rest, ret);
}

/* Cuts the next ";name=value" off. 1, or 0 at the end, or -1 for anything else. */
static int next_parameter(struct text *rest, struct parameter *ret)
{
	bool is_separated = false;
	const char *equals;

	while (rest->n > 0 && (rest->p[0] == ';' || is_blank(rest->p[0])))
		is_separated |= cut(rest, 1).p[0] == ';';
	if (rest->n == 0)
		return 0;
	equals = memchr(rest->p, '=', rest->n);
	if (!is_separated || !equals)
		return -1;
	ret->name = view(cut(rest, (size_t)(equals - rest->p)));
	(void)cut(rest, 1);
	return str_is_token(ret->name) && cut_value(rest, &ret->value) ? 1 : -1;
}

/* What stands before the first parameter: a media type or a disposition. */
static struct str cut_word(struct text *rest)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ';')
		n++;
	return str_trim(view(cut(rest, n)));
}

/* ---- the media type of the body ---- */

/* RFC 2046 5.1.1 allows fewer characters; what matters is that no CR or LF is among them. */
static bool is_boundary(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] < 0x20 || t.p[i] > 0x7E)
			return false;
	return t.n > 0 && t.n <= MULTIPART_BOUNDARY_MAX && t.p[t.n - 1] != ' ';
}

int multipart_head_boundary(char *content_type, size_t n, struct str *ret, struct err *e)
{
	struct text rest = {content_type, n};
	struct parameter parameter;
	struct str boundary = {NULL, 0};
	int r;

	if (!str_eq_nocase(cut_word(&rest), "multipart/form-data"))
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE,
			"the Content-Type has to be multipart/form-data here");
	while ((r = next_parameter(&rest, &parameter)) > 0) {
		if (!str_eq_nocase(parameter.name, "boundary"))
			continue;
		if (boundary.p || !is_boundary(parameter.value))
			return err_set(e, ERR_BAD_MULTIPART,
				"the boundary in Content-Type is not one of 1 to %d printable "
				"characters", MULTIPART_BOUNDARY_MAX);
		boundary = view(parameter.value);
	}
	if (r < 0)
		return err_set(e, ERR_BAD_MULTIPART,
			"the parameters of Content-Type are malformed");
	if (!boundary.p)
		return err_set(e, ERR_BAD_MULTIPART,
			"the Content-Type has no boundary; let the HTTP client set this header "
			"by itself");
	*ret = boundary;
	return 0;
}

/* ---- the header block of a part ---- */

struct head {
	struct multipart_part part;
	bool has_disposition, has_name, has_filename, has_extended;
};

static struct str undo_percent_quotes(struct text t)
{
	struct text out = {t.p, 0};

	while (t.n > 0) {
		if (t.n >= 3 && memcmp(t.p, "%22", 3) == 0) {
			(void)cut(&t, 3);
			out.p[out.n++] = '"';
		} else {
			out.p[out.n++] = cut(&t, 1).p[0];
		}
	}
	return view(out);
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7F)
			return true;
	return false;
}

static bool is_attr_char(char c)
{
	return str_is_digit(c) || str_is_lower(str_to_lower(c)) ||
		(c != '\0' && strchr("!#$&+-.^_`|~", c));
}

/* value-chars of RFC 5987 3.2.1, in place. */
static bool decode_extended(struct text *t)
{
	struct text in = *t, out = {t->p, 0};

	while (in.n > 0) {
		char c = cut(&in, 1).p[0];
		if (c == '%') {
			int high = in.n >= 2 ? str_hex_value(in.p[0]) : -1;
			int low = in.n >= 2 ? str_hex_value(in.p[1]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			(void)cut(&in, 2);
		} else if (!is_attr_char(c)) {
			return false;
		}
		out.p[out.n++] = c;
	}
	*t = out;
	return true;
}

/* charset "'" [language] "'" value-chars; the charset is UTF-8. */
static bool read_extended(struct text value, struct str *ret)
{
	static const char charset[] = "utf-8'";
	size_t n = sizeof(charset) - 1;
	const char *quote;

	if (value.n < n || !str_eq_nocase((struct str){value.p, n}, charset))
		return false;
	(void)cut(&value, n);
	quote = memchr(value.p, '\'', value.n);
	if (!quote)
		return false;
	(void)cut(&value, (size_t)(quote - value.p) + 1);
	if (!decode_extended(&value) || !str_is_utf8(view(value)) || has_control(view(value)))
		return false;
	*ret = view(value);
	return true;
}

static int store_parameter(struct head *h, const struct parameter *p, struct err *e)
{
	bool repeated = false;

	if (str_eq_nocase(p->name, "name")) {
		repeated = h->has_name;
		h->has_name = true;
		h->part.name = undo_percent_quotes(p->value);
	} else if (str_eq_nocase(p->name, "filename")) {
		repeated = h->has_filename;
		h->has_filename = true;
		if (!h->has_extended)
			h->part.filename = undo_percent_quotes(p->value);
	} else if (str_eq_nocase(p->name, "filename*")) {
		repeated = h->has_extended;
		h->has_extended = true;
		if (!read_extended(p->value, &h->part.filename))
			return err_set(e, ERR_BAD_MULTIPART,
				"filename* is not UTF-8''percent-encoded");
	}
	if (repeated)
		return err_set(e, ERR_BAD_MULTIPART, STR_FMT " is given twice", STR_ARG(p->name));
	return 0;
}

/* RFC 7578 4.2 */
static int read_disposition(struct head *h, struct text value, struct err *e)
{
	struct parameter p;
	int more, r;

	if (h->has_disposition)
		return err_set(e, ERR_BAD_MULTIPART, "there is more than one Content-Disposition");
	h->has_disposition = true;
	if (!str_eq_nocase(cut_word(&value), "form-data"))
		return err_set(e, ERR_BAD_MULTIPART, "its Content-Disposition is not form-data");
	while ((more = next_parameter(&value, &p)) > 0) {
		r = store_parameter(h, &p, e);
		if (r < 0)
			return r;
	}
	if (more < 0)
		return err_set(e, ERR_BAD_MULTIPART,
			"the parameters of its Content-Disposition are malformed");
	return 0;
}

static int read_type(struct head *h, struct text value, struct err *e)
{
	(void)e;
	h->part.content_type = view(value);
	return 0;
}

/* RFC 7578 4.7 deprecates it. An encoded part would be stored as it is, which nobody means. */
static int read_transfer_encoding(struct head *h, struct text value, struct err *e)
{
	static const char *const identities[] = {"7bit", "8bit", "binary"};

	(void)h;
	for (size_t i = 0; i < ARRAY_SIZE(identities); i++)
		if (str_eq_nocase(view(value), identities[i]))
			return 0;
	return err_set(e, ERR_BAD_MULTIPART,
		"its Content-Transfer-Encoding is not binary; send the bytes as they are");
}

static int read_field(struct head *h, struct str name, struct text value, struct err *e)
{
	static const struct {
		const char *name;
		int (*read)(struct head *, struct text, struct err *);
	} known[] = {
		{"Content-Disposition", read_disposition},
		{"Content-Type", read_type},
		{"Content-Transfer-Encoding", read_transfer_encoding},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq_nocase(name, known[i].name))
			return known[i].read(h, value, e);
	return 0;
}

static bool holds_control(struct text value)
{
	for (size_t i = 0; i < value.n; i++)
		if (((uint8_t)value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7F)
			return true;
	return false;
}

static int read_line(struct head *h, struct text line, struct err *e)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct str name;

	if (line.n > 0 && is_blank(line.p[0]))
		return err_set(e, ERR_BAD_MULTIPART, "it has a folded header line");
	if (!colon)
		return err_set(e, ERR_BAD_MULTIPART, "it has a header line without a colon");
	name = view(cut(&line, (size_t)(colon - line.p)));
	if (!str_is_token(name))
		return err_set(e, ERR_BAD_MULTIPART, "it has a header whose name is not a token");
	(void)cut(&line, 1);
	if (holds_control(line))
		return err_set(e, ERR_BAD_MULTIPART,
			"its header " STR_FMT " has a control character",
			(int)(name.n < NAME_QUOTED_MAX ? name.n : NAME_QUOTED_MAX), name.p);
	return read_field(h, name, trim(line), e);
}

int multipart_head_part(char *block, size_t n, struct multipart_part *ret, struct err *e)
{
	struct head h = {.part = {{NULL, 0}, {NULL, 0}, {NULL, 0}}};
	struct text rest = {block, n};

	while (rest.n > 0) {
		const char *end = memmem(rest.p, rest.n, "\r\n", 2);
		struct text line = cut(&rest, end ? (size_t)(end - rest.p) : rest.n);
		int r = read_line(&h, line, e);
		if (r < 0)
			return r;
		(void)cut(&rest, end ? 2 : 0);
	}
	if (!h.has_disposition)
		return err_set(e, ERR_BAD_MULTIPART, "it has no Content-Disposition");
	if (h.part.name.n == 0 && h.part.filename.n == 0)
		return err_set(e, ERR_BAD_MULTIPART, "it has neither a name nor a filename");
	*ret = h.part;
	return 0;
}
