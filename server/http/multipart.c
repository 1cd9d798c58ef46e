/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/multipart.h"
#include "common/base/buf.h"
#include "server/http/multipart_head.h"

/* A delimiter line is CRLF "--" boundary, blanks, CRLF; the last one has "--" before the blanks.
 * Anything else that starts like one is payload, also "--boundaryX".
 *
 * `needle` is CRLF "--" boundary. A boundary holds no CR, so the needle's only CR is its first
 * byte: what matched partly and then failed cannot hold the start of another match, and what is
 * carried from one piece to the next is a count. The few bytes behind a needle that decide whether
 * it is a delimiter line are kept; a CR among them is the last one, so they hide no start. */

#define NEEDLE_MAX (4 + MULTIPART_BOUNDARY_MAX)
#define TAIL_MAX   128 /* bytes behind a boundary up to the LF of its line */

enum state {
	STATE_SCAN,     /* preamble or payload, looking for the needle */
	STATE_TAIL,     /* the needle matched; is it a delimiter line? */
	STATE_HEAD,     /* header block of a part */
	STATE_EPILOGUE, /* everything is dropped */
};

enum verdict { VERDICT_OPEN, VERDICT_MORE, VERDICT_PAYLOAD, VERDICT_PART, VERDICT_LAST };

struct multipart {
	const struct multipart_handler *handler;
	void *cls;
	enum state state;
	bool in_part; /* begin() was called and end() was not */
	size_t parts;
	size_t matched; /* bytes of the needle, at the end of what was fed so far */
	size_t assumed; /* of these, how many were never there: the CRLF before a first line */
	size_t tail_n;
	char tail[TAIL_MAX];
	struct buf head;
	int answer;         /* of the call that failed, or 0 */
	struct err failure; /* of that call */
	size_t needle_n;
	char needle[NEEDLE_MAX];
};

int multipart_new(struct str content_type, const struct multipart_handler *handler, void *cls,
	struct multipart **ret, struct err *e)
{
	CLEANUP(multipart_free_p) struct multipart *m = calloc(1, sizeof(*m));
	CLEANUP_FREE char *value = str_dup(content_type);
	struct str boundary;
	int r;

	if (!m || !value)
		return err_nomem(e);
	r = multipart_head_boundary(value, content_type.n, &boundary, e);
	if (r < 0)
		return r;
	m->handler = handler;
	m->cls = cls;
	buf_init(&m->head, MULTIPART_HEAD_MAX);
	memcpy(m->needle, "\r\n--", 4);
	memcpy(m->needle + 4, boundary.p, boundary.n);
	m->needle_n = 4 + boundary.n;
	m->matched = m->assumed = 2;
	*ret = take_ptr(m);
	return 0;
}

void multipart_free(struct multipart *m)
{
	if (!m)
		return;
	buf_done(&m->head);
	free(m);
}

/* ---- payload ---- */

static int emit(struct multipart *m, const char *bytes, size_t n, struct err *e)
{
	if (!m->in_part || n == 0)
		return 0;
	return m->handler->data(m->cls, bytes, n, e);
}

/* What looked like a delimiter is payload after all. */
static int emit_carried(struct multipart *m, struct err *e)
{
	size_t assumed = m->assumed, matched = m->matched, tail_n = m->tail_n;
	int r;

	m->assumed = m->matched = m->tail_n = 0;
	m->state = STATE_SCAN;
	r = emit(m, m->needle + assumed, matched - assumed, e);
	return r < 0 ? r : emit(m, m->tail, tail_n, e);
}

/* Length of the part of the needle that `bytes` ends with, the whole needle not being in it. */
static size_t partial_match(const struct multipart *m, const char *bytes, size_t n)
{
	size_t window = n < m->needle_n - 1 ? n : m->needle_n - 1;
	const char *cr = memrchr(bytes + n - window, '\r', window);
	size_t length = cr ? (size_t)(bytes + n - cr) : 0;

	return length > 0 && memcmp(cr, m->needle, length) == 0 ? length : 0;
}

/* Goes on with a match that the piece before this one left open. */
static int scan_carried(struct multipart *m, struct str *in, struct err *e)
{
	size_t want = m->needle_n - m->matched;
	size_t n = want < in->n ? want : in->n;
	size_t same = 0;

	while (same < n && in->p[same] == m->needle[m->matched + same])
		same++;
	m->matched += same;
	in->p += same;
	in->n -= same;
	if (m->matched == m->needle_n)
		m->state = STATE_TAIL;
	else if (in->n > 0)
		return emit_carried(m, e);
	return 0;
}

static int scan(struct multipart *m, struct str *in, struct err *e)
{
	struct str piece = *in;
	const char *found;
	size_t payload;

	if (m->matched > 0)
		return scan_carried(m, in, e);
	found = memmem(piece.p, piece.n, m->needle, m->needle_n);
	m->matched = found ? m->needle_n : partial_match(m, piece.p, piece.n);
	payload = found ? (size_t)(found - piece.p) : piece.n - m->matched;
	if (found)
		m->state = STATE_TAIL;
	in->p += payload + m->matched;
	in->n -= payload + m->matched;
	return emit(m, piece.p, payload, e);
}

/* ---- the line behind the needle ---- */

static enum verdict judge_tail(const char *tail, size_t n, char next)
{
	size_t dashes = 0;
	bool has_cr = n > 0 && tail[n - 1] == '\r';

	while (dashes < n && dashes < 2 && tail[dashes] == '-')
		dashes++;
	if (has_cr)
		return next != '\n' ? VERDICT_PAYLOAD : dashes == 2 ? VERDICT_LAST : VERDICT_PART;
	if (next == '-')
		return n == dashes && n < 2 ? VERDICT_MORE : VERDICT_PAYLOAD;
	if (dashes == 1)
		return VERDICT_PAYLOAD;
	return next == '\r' || next == ' ' || next == '\t' ? VERDICT_MORE : VERDICT_PAYLOAD;
}

static int end_part(struct multipart *m, struct err *e)
{
	bool was_in_part = m->in_part;

	m->in_part = false;
	return was_in_part ? m->handler->end(m->cls, e) : 0;
}

static int end_line(struct multipart *m, enum verdict verdict, struct err *e)
{
	m->matched = m->assumed = m->tail_n = 0;
	m->state = verdict == VERDICT_LAST ? STATE_EPILOGUE : STATE_HEAD;
	buf_clear(&m->head);
	return end_part(m, e);
}

static int read_tail(struct multipart *m, struct str *in, struct err *e)
{
	enum verdict verdict = judge_tail(m->tail, m->tail_n, in->p[0]);

	if (verdict == VERDICT_PAYLOAD)
		return emit_carried(m, e);
	if (verdict == VERDICT_MORE && m->tail_n == TAIL_MAX)
		return err_set(e, ERR_BAD_MULTIPART, "a boundary has too many blanks behind it");
	if (verdict == VERDICT_MORE)
		m->tail[m->tail_n++] = in->p[0];
	in->p++;
	in->n--;
	return verdict == VERDICT_MORE ? 0 : end_line(m, verdict, e);
}

/* ---- the header block ---- */

static int begin_part(struct multipart *m, struct err *e)
{
	struct multipart_part part;
	int r;

	if (m->parts == MULTIPART_PARTS_MAX)
		return err_set(e, ERR_BAD_MULTIPART, "there are more than %d parts",
			MULTIPART_PARTS_MAX);
	m->parts++;
	r = multipart_head_part(m->head.data, m->head.len - 2, &part, e);
	if (r < 0)
		return err_prefix(e, "part %zu", m->parts);
	m->state = STATE_SCAN;
	m->in_part = true;
	m->matched = m->assumed = 2; /* the empty line's CRLF: a part may be its headers alone */
	return m->handler->begin(m->cls, &part, e);
}

static bool is_whole_head(const struct buf *head)
{
	struct str text = {head->data, head->len};

	return str_eq_c(text, "\r\n") || str_ends(text, "\r\n\r\n");
}

/* Takes one line, or what there is of it. */
static int read_head(struct multipart *m, struct str *in, struct err *e)
{
	const char *lf = memchr(in->p, '\n', in->n);
	size_t n = lf ? (size_t)(lf - in->p) + 1 : in->n;

	buf_add(&m->head, in->p, n);
	in->p += n;
	in->n -= n;
	if (buf_failed(&m->head) && m->head.failure == ERR_TOO_LARGE)
		return err_set(e, ERR_BAD_MULTIPART,
			"part %zu: its headers are longer than %d bytes",
			m->parts + 1, MULTIPART_HEAD_MAX);
	if (buf_failed(&m->head))
		return err_nomem(e);
	return lf && is_whole_head(&m->head) ? begin_part(m, e) : 0;
}

/* ---- the stream ---- */

static int step(struct multipart *m, struct str *in, struct err *e)
{
	switch (m->state) {
	case STATE_SCAN:
		return scan(m, in, e);
	case STATE_TAIL:
		return read_tail(m, in, e);
	case STATE_HEAD:
		return read_head(m, in, e);
	case STATE_EPILOGUE:
		in->n = 0;
	}
	return 0;
}

static int fail(struct multipart *m, int answer, const struct err *e)
{
	m->failure = *e;
	m->answer = answer;
	return answer;
}

static int repeat_failure(const struct multipart *m, struct err *e)
{
	*e = m->failure;
	return m->answer;
}

int multipart_feed(struct multipart *m, const char *bytes, size_t n, struct err *e)
{
	struct str in = {bytes, n};

	if (m->answer < 0)
		return repeat_failure(m, e);
	while (in.n > 0) {
		int r = step(m, &in, e);
		if (r < 0)
			return fail(m, r, e);
	}
	return 0;
}

/* Behind the last boundary, whose line needs no CRLF. */
static bool is_closed(const struct multipart *m)
{
	return m->state == STATE_EPILOGUE ||
		(m->state == STATE_TAIL && m->tail_n >= 2 && memcmp(m->tail, "--", 2) == 0);
}

int multipart_finish(struct multipart *m, struct err *e)
{
	int r;

	if (m->answer < 0)
		return repeat_failure(m, e);
	if (is_closed(m))
		r = end_part(m, e);
	else if (m->parts == 0 && m->state != STATE_HEAD)
		r = err_set(e, ERR_BAD_MULTIPART,
			"the body does not hold the boundary that its Content-Type names");
	else
		r = err_set(e, ERR_BAD_MULTIPART,
			"the body ends in part %zu, before its last boundary",
			m->parts + (m->state == STATE_HEAD));
	return r < 0 ? fail(m, r, e) : 0;
}
