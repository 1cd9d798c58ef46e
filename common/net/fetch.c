/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetcher is, and how a fetch begins, is taken and ends. */
#include "common/net/fetch_internal.h"

#include "common/base/clock.h"
#include "common/base/num.h"

/* ---- the fetcher ---- */

static void fetcher_free(struct fetcher *f)
{
	fetch_lane_done_all(f);
	pthread_mutex_destroy(&f->lock);
	free(f->ca_file);
	free(f->user_agent);
	free(f);
	curl_global_cleanup();
}

static int copy_text(const char *text, char **ret, struct err *e)
{
	if (!text)
		return 0;
	*ret = str_dup(str_of(text));
	return *ret ? 0 : err_nomem(e);
}

static int start(struct fetcher *f, const struct fetcher_options *o, struct err *e)
{
	f->allow = o->allow;
	f->max_connections = o->max_connections;
	f->max_per_host = o->max_per_host;
	if (copy_text(o->ca_file, &f->ca_file, e) < 0 ||
		copy_text(o->user_agent, &f->user_agent, e) < 0)
		return -(int)e->code;
	return fetch_lane_init_all(f, e);
}

int fetcher_start(const struct fetcher_options *o, struct fetcher **ret, struct err *e)
{
	struct fetcher *f;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "libcurl cannot be set up");
	f = calloc(1, sizeof(*f));
	if (!f) {
		curl_global_cleanup();
		return err_nomem(e);
	}
	pthread_mutex_init(&f->lock, NULL);
	if (start(f, o, e) < 0) {
		fetcher_free(f);
		return -(int)e->code;
	}
	*ret = f;
	return 0;
}

void fetcher_stop(struct fetcher *f)
{
	if (f)
		fetcher_free(f);
}

void fetch_wake(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	for (struct fetch *x = f->all; x; x = x->all_next) {
		pthread_cond_signal(&x->changed);
		if (x->lane)
			(void)curl_multi_wakeup(x->lane->multi);
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- beginning ---- */

static void init_changed(struct fetch *x)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&x->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* libcurl takes "Name:" for a header that is not to be sent, and "Name;" for an empty one. */
static char *copy_header(const char *header)
{
	struct str rest = str_of(header), name;
	char *copy;

	(void)str_split(&rest, ':', &name);
	copy = str_dup(str_of(header));
	if (copy && (!rest.p || str_trim(rest).n == 0)) {
		copy[name.n] = ';';
		copy[name.n + 1] = '\0';
	}
	return copy;
}

static int check_header(const char *header, struct err *e)
{
	struct str rest = str_of(header), name;

	if (!str_split(&rest, ':', &name) || !rest.p)
		return err_set(e, ERR_BAD_REQUEST, "a request header has no ':'");
	return fetch_check_header(name, str_trim(rest), e);
}

static int copy_headers(struct fetch *x, const struct fetch_request *q, struct err *e)
{
	x->headers = calloc(q->headers_n + 1, sizeof(*x->headers));
	if (!x->headers)
		return err_nomem(e);
	for (size_t i = 0; i < q->headers_n; i++) {
		if (check_header(q->headers[i], e) < 0)
			return -(int)e->code;
		x->headers[i] = copy_header(q->headers[i]);
		if (!x->headers[i])
			return err_nomem(e);
		x->headers_n++;
	}
	return 0;
}

/* An ETag or a media type of ours: no line of its own can be in it. */
static int copy_value(const char *value, char **ret, struct err *e)
{
	for (const char *at = value; at && *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return err_set(e, ERR_BAD_REQUEST,
				"a request header has a control character");
	}
	return copy_text(value, ret, e);
}

static int copy_request(struct fetch *x, const struct fetch_request *q, struct err *e)
{
	x->hop = x->origin = *q->url;
	x->own_headers = true;
	x->ask_coded = q->coded && q->from == 0;
	x->from = q->from;
	x->max_bytes = q->max_bytes;
	x->connect_ms = q->connect_ms;
	x->timeout_ms = q->timeout_ms;
	x->min_rate = q->min_rate;
	x->min_rate_ms = q->min_rate_ms;
	x->cancel = q->cancel;
	x->expected = UINT64_MAX;
	if (copy_text(q->what, &x->what, e) < 0 || copy_value(q->accept, &x->accept, e) < 0 ||
		copy_value(q->if_range, &x->if_range, e) < 0 ||
		copy_value(q->if_none_match, &x->if_none_match, e) < 0)
		return -(int)e->code;
	return copy_headers(x, q, e);
}

static void release(struct fetch *x)
{
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->fields);
	pthread_cond_destroy(&x->changed);
	for (size_t i = 0; i < x->headers_n; i++)
		free(x->headers[i]);
	free(x->headers);
	free(x->what);
	free(x->accept);
	free(x->if_range);
	free(x->if_none_match);
	free(x->piece);
	fetch_decode_free(x->decode);
	free(x->decoded);
	free(x);
}

/* Under the lock. */
static void enlist(struct fetch *x)
{
	struct fetcher *f = x->f;

	x->all_at = &f->all;
	x->all_next = f->all;
	if (f->all)
		f->all->all_at = &x->all_next;
	f->all = x;
}

static void set_deadline(struct fetch *x)
{
	if (!num_add(clock_mono_ms(), x->timeout_ms, &x->deadline_ms))
		x->deadline_ms = UINT64_MAX;
}

static int prepare(struct fetch *x, const struct fetch_request *q, struct err *e)
{
	if (copy_request(x, q, e) < 0)
		return -(int)e->code;
	if (address_check_host(x->f->allow, x->hop.scheme, x->hop.host, x->hop.port, e) < 0) {
		fetch_say_where(x, e);
		return -(int)e->code;
	}
	if (fetch_easy_new(x, e) < 0)
		return -(int)e->code;
	return fetch_easy_aim(x, e);
}

int fetch_start(struct fetcher *f, const struct fetch_request *q, struct fetch **ret, struct err *e)
{
	struct fetch *x = calloc(1, sizeof(*x));

	if (!x)
		return err_nomem(e);
	x->f = f;
	init_changed(x);
	if (prepare(x, q, e) < 0) {
		release(x);
		return -(int)e->code;
	}
	set_deadline(x);
	pthread_mutex_lock(&f->lock);
	enlist(x);
	pthread_mutex_unlock(&f->lock);
	*ret = x;
	return 0;
}

/* ---- taking ---- */

static int check_cancel(const struct fetch *x, struct err *e)
{
	if (x->cancel && atomic_load(x->cancel))
		return err_set(e, ERR_CANCELLED, "%.100s: cancelled", x->what);
	return 0;
}

static int failed(const struct fetch *x, struct err *e)
{
	*e = x->failure;
	return -(int)e->code;
}

/* What failed behind its head has one: fetch_read() says how it went on. */
int fetch_head(struct fetch *x, const struct fetch_head **ret, struct err *e)
{
	fetch_run_to_head(x);
	if (x->phase == FETCH_FAILED && x->head.status == 0)
		return failed(x, e);
	*ret = &x->head;
	return 0;
}

/* The next bytes as they came; none at the end. */
static int take(struct fetch *x, const char **ret, size_t *ret_n, struct err *e)
{
	if (x->given)
		x->filled = 0;
	x->given = false;
	fetch_run_to_bytes(x);
	if (x->filled == 0 && x->phase == FETCH_FAILED)
		return failed(x, e);
	x->given = true;
	*ret = x->piece ? x->piece->bytes : NULL;
	*ret_n = x->filled;
	return 0;
}

static int begin_decoding(struct fetch *x, struct err *e)
{
	if (x->decode)
		return 0;
	x->decoded = malloc(FETCH_PIECE);
	if (!x->decoded)
		return err_nomem(e);
	return fetch_decode_new(x->coding, &x->decode, e);
}

static int check_decoded(struct fetch *x, size_t n, struct err *e)
{
	char limit[NUM_SIZE_TEXT];

	x->decoded_n += n;
	if (x->decoded_n <= x->max_bytes)
		return 0;
	return err_set(e, ERR_TOO_LARGE, "it has more than %s",
		num_format_size(x->max_bytes, limit));
}

/* One more step. *ret_end: nothing comes any more. */
static int decode_step(struct fetch *x, size_t *ret_n, bool *ret_end, struct err *e)
{
	int r = fetch_decode_step(x->decode, &x->undecoded, x->decoded, FETCH_PIECE, ret_n, e);

	if (r == 0)
		r = check_decoded(x, *ret_n, e);
	if (r == 0 && *ret_end) {
		r = fetch_decode_finish(x->decode, e);
		x->cut = r < 0;
	}
	if (r < 0)
		fetch_say_where(x, e);
	return r;
}

/* What has been unpacked must be taken before the next bytes are, or memory would not be
 * bounded. */
static int read_coded(struct fetch *x, const char **ret, size_t *ret_n, struct err *e)
{
	bool end = false;

	*ret = x->decoded;
	*ret_n = 0;
	if (begin_decoding(x, e) < 0)
		return -(int)e->code;
	for (;;) {
		if (decode_step(x, ret_n, &end, e) < 0)
			return -(int)e->code;
		*ret = x->decoded;
		if (*ret_n > 0 || end)
			return 0;
		if (take(x, &x->undecoded.p, &x->undecoded.n, e) < 0)
			return -(int)e->code;
		end = x->undecoded.n == 0;
	}
}

int fetch_read(struct fetch *x, const char **ret, size_t *ret_n, struct err *e)
{
	const struct fetch_head *head;

	if (fetch_head(x, &head, e) < 0 || check_cancel(x, e) < 0)
		return -(int)e->code;
	if (x->head.coded)
		return read_coded(x, ret, ret_n, e);
	return take(x, ret, ret_n, e);
}

/* ---- after ---- */

bool fetch_may_retry(const struct fetch *x, uint64_t *ret_after_ms)
{
	bool may = x->cut || (x->phase == FETCH_FAILED && x->may_retry);

	*ret_after_ms = may ? x->retry_after_ms : 0;
	return may;
}

bool fetch_must_begin_anew(const struct fetch *x)
{
	return x->phase == FETCH_FAILED && x->begin_anew;
}

int fetch_status(const struct fetch *x)
{
	return x->status;
}

/* Under the lock. */
static void delist(struct fetch *x)
{
	*x->all_at = x->all_next;
	if (x->all_next)
		x->all_next->all_at = x->all_at;
	if (!x->f->all)
		fetch_piece_drop_spare(x->f);
}

void fetch_free(struct fetch *x)
{
	if (!x)
		return;
	fetch_run_stop(x);
	fetch_piece_leave(x);
	pthread_mutex_lock(&x->f->lock);
	delist(x);
	pthread_mutex_unlock(&x->f->lock);
	release(x);
}
