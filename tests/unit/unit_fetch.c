/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit_fetch.h"

#include "common/base/num.h"

struct unit_fetch unit_fetch;

void unit_fetch_begin_with(net_answer_fn *answer, const char *allow, struct fetcher_options options)
{
	char words[8][64] = {"127.0.0.1"};
	const char *list[8];
	struct str rest = allow ? str_of(allow) : (struct str){NULL, 0}, word;
	size_t n = 1;
	struct err e;

	while (rest.p && str_split(&rest, ' ', &word)) {
		if (str_eq_c(word, "-"))
			n = 0;
		else
			(void)snprintf(words[n++], sizeof(words[0]), STR_FMT, STR_ARG(word));
	}
	for (size_t i = 0; i < n; i++)
		list[i] = words[i];
	unit_fetch.server = net_server_start(answer, NULL);
	ck_ok(address_list_parse(list, n, &unit_fetch.allow, &e));
	options.allow = unit_fetch.allow;
	ck_ok(fetcher_start(&options, &unit_fetch.fetcher, &e));
}

void unit_fetch_begin(net_answer_fn *answer, const char *allow)
{
	struct fetcher_options options = {
		.max_connections = 64, .max_per_host = 64, .user_agent = "modeld/test"};

	unit_fetch_begin_with(answer, allow, options);
}

void unit_fetch_end(void)
{
	fetcher_stop(unit_fetch.fetcher);
	address_list_free(unit_fetch.allow);
	net_server_stop(unit_fetch.server);
}

struct url unit_fetch_url_at(const char *host, const char *path)
{
	char text[URL_MAX + 1];
	struct url u;
	struct err e;

	(void)snprintf(text, sizeof(text), "http://%s:%u%s", host, unit_fetch.server->port, path);
	ck_ok(url_parse(str_of(text), &u, &e));
	return u;
}

struct url unit_fetch_url(const char *path)
{
	return unit_fetch_url_at("127.0.0.1", path);
}

struct fetch_request unit_fetch_request(const struct url *u)
{
	return (struct fetch_request){.url = u,
		.what = "model.json",
		.max_bytes = 256 * MIB,
		.connect_ms = 60000,
		.timeout_ms = 120000};
}

static void read_all(struct fetch *x, struct fetched *f)
{
	const struct fetch_head *head;
	const char *bytes;
	size_t n;

	f->r = fetch_head(x, &head, &f->e);
	f->has_head = f->r == 0;
	if (f->has_head)
		f->head = *head;
	while (f->r == 0 && (f->r = fetch_read(x, &bytes, &n, &f->e)) == 0 && n > 0) {
		ck_assert_uint_le(n, FETCH_PIECE);
		f->bytes = realloc(f->bytes, f->n + n);
		ck_assert_ptr_nonnull(f->bytes);
		memcpy(f->bytes + f->n, bytes, n);
		f->n += n;
	}
}

struct fetched unit_fetch_all(const struct fetch_request *q)
{
	struct fetched f = {0};
	struct fetch *x;

	f.r = fetch_start(unit_fetch.fetcher, q, &x, &f.e);
	if (f.r < 0)
		return f;
	read_all(x, &f);
	f.may_retry = fetch_may_retry(x, &f.after_ms);
	f.begin_anew = fetch_must_begin_anew(x);
	f.status = fetch_status(x);
	fetch_free(x);
	return f;
}

struct fetched unit_fetch_get(const char *path)
{
	struct url u = unit_fetch_url(path);
	struct fetch_request q = unit_fetch_request(&u);

	return unit_fetch_all(&q);
}

void fetched_done(struct fetched *f)
{
	free(f->bytes);
}

static void *wait_for_head(void *cls)
{
	struct unit_taker *t = cls;
	const struct fetch_head *ignored;
	struct err e;

	(void)fetch_head(t->fetch, &ignored, &e);
	return NULL;
}

void unit_taker_begin(struct unit_taker *t, const struct url *u)
{
	struct fetch_request q = unit_fetch_request(u);
	struct err e;

	atomic_init(&t->cancel, false);
	q.cancel = &t->cancel;
	ck_ok(fetch_start(unit_fetch.fetcher, &q, &t->fetch, &e));
	ck_assert_int_eq(pthread_create(&t->thread, NULL, wait_for_head, t), 0);
}

void unit_taker_end(struct unit_taker *t)
{
	atomic_store(&t->cancel, true);
	fetch_wake(unit_fetch.fetcher);
	pthread_join(t->thread, NULL);
	fetch_free(t->fetch);
}

static char byte_at(uint64_t at)
{
	return (char)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

void unit_fetch_fill(char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(i);
}

bool unit_fetch_is_filled(const char *bytes, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != byte_at(offset + i))
			return false;
	}
	return true;
}
