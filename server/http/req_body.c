/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: its coding, then its parts. */
#include "common/base/num.h"
#include "server/http/req_internal.h"

#include <microhttpd.h>
#include <string.h>

#define DECODED_PIECE (16 * 1024)

int req_body_check(const struct req *r, uint64_t n, struct err *e)
{
	char limit[NUM_SIZE_TEXT];

	if (n <= r->max_body)
		return 0;
	return err_set(e, ERR_TOO_LARGE, "the body is larger than the %s that are allowed here",
		num_format_size(r->max_body, limit));
}

/* ---- coding (RFC 9110 8.4) ---- */

struct codings {
	unsigned gzip;
	unsigned unknown;
};

static enum MHD_Result walk_codings(void *cls, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	struct codings *c = cls;
	struct str rest = str_of(value ? value : ""), one;

	(void)kind;
	if (strcasecmp(name, "Content-Encoding") != 0)
		return MHD_YES;
	while (str_split(&rest, ',', &one)) {
		one = str_trim(one);
		/* RFC 9110 8.4.1.3: x-gzip is the same. */
		if (str_eq_nocase(one, "gzip") || str_eq_nocase(one, "x-gzip"))
			c->gzip++;
		else if (one.n > 0 && !str_eq_nocase(one, "identity"))
			c->unknown++;
	}
	return MHD_YES;
}

static int begin_coding(struct req *r, struct err *e)
{
	struct codings c = {0};

	(void)MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, walk_codings, &c);
	if (c.unknown > 0 || c.gzip > 1) {
		r->wrong_coding = true;
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE,
			"the Content-Encoding of a body has to be gzip here, once, or none");
	}
	if (c.gzip == 0)
		return 0;
	return inflate_new("the body", httpd_settings_of(r->loop)->max_expansion, &r->inflate, e);
}

/* ---- parts ---- */

static int part_begin(void *cls, const struct multipart_part *part, struct err *e)
{
	struct req *r = cls;

	return r->handler->part_begin(r, part, e);
}

static int part_data(void *cls, const char *bytes, size_t n, struct err *e)
{
	struct req *r = cls;

	return r->handler->part_data(r, bytes, n, e);
}

static int part_end(void *cls, struct err *e)
{
	struct req *r = cls;

	return r->handler->part_end(r, e);
}

static bool is_form(struct str type)
{
	struct str word = {NULL, 0};

	return str_split(&type, ';', &word) && str_eq_nocase(str_trim(word), "multipart/form-data");
}

static int begin_parts(struct req *r, struct err *e)
{
	static const struct multipart_handler parts = {part_begin, part_data, part_end};
	const char *value = req_header(r, "Content-Type");
	struct str type = str_of(value ? value : "");

	if (r->handler->data && !is_form(type))
		return 0;
	return multipart_new(type, &parts, r, &r->multipart, e);
}

/* ---- all of it ---- */

int req_body_begin(struct req *r, struct err *e)
{
	int result = 0;

	if (r->handler->body == HANDLER_BODY_MULTIPART)
		result = begin_parts(r, e);
	if (result == 0 && r->handler->body != HANDLER_BODY_NONE)
		result = begin_coding(r, e);
	return result;
}

static int take_decoded(struct req *r, const char *bytes, size_t n, struct err *e)
{
	if (r->handler->body == HANDLER_BODY_SMALL) {
		buf_add(&r->body, bytes, n);
		return buf_check(&r->body, "the body", e);
	}
	if (r->multipart)
		return multipart_feed(r->multipart, bytes, n, e);
	return r->handler->data ? r->handler->data(r, bytes, n, e) : 0;
}

static int decode(struct req *r, struct str in, struct err *e)
{
	char piece[DECODED_PIECE];
	size_t n;
	int result;

	do {
		result = inflate_step(r->inflate, &in, piece, sizeof(piece), &n, e);
		r->decoded += n;
		if (result == 0)
			result = req_body_check(r, r->decoded, e);
		if (result == 0 && n > 0)
			result = take_decoded(r, piece, n, e);
	} while (result == 0 && n == sizeof(piece));
	return result;
}

int req_body_take(struct req *r, const char *bytes, size_t n, struct err *e)
{
	int result = req_body_check(r, r->received, e);

	if (result < 0)
		return result;
	return r->inflate ? decode(r, (struct str){bytes, n}, e) : take_decoded(r, bytes, n, e);
}

int req_body_end(struct req *r, struct err *e)
{
	int result = r->inflate ? inflate_finish(r->inflate, e) : 0;

	return result == 0 && r->multipart ? multipart_finish(r->multipart, e) : result;
}
