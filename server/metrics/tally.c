/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/tally.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STATUS_MAX  600u
#define STATUSES_N  48u /* that are told apart */
#define UNKNOWN     "-"
#define MICROS      UINT64_C(1000000)

enum method { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, OTHER, METHODS_N };

static const char *const method_names[METHODS_N] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

static const char *const class_names[TALLY_CLASSES_N] = {
	[TALLY_FILE] = "file",
	[TALLY_PUBLISH] = "publish",
	[TALLY_API] = "api",
	[TALLY_OTHER] = "other",
};

/* Upper ends of the buckets; as seconds they are written. */
static const struct {
	uint64_t micros;
	const char *seconds;
} buckets[] = {
	{100, "0.0001"}, {500, "0.0005"}, {1000, "0.001"}, {5000, "0.005"}, {10000, "0.01"},
	{50000, "0.05"}, {100000, "0.1"}, {500000, "0.5"}, {1000000, "1"}, {5000000, "5"},
	{10000000, "10"}, {60000000, "60"}, {UINT64_MAX, "+Inf"},
};

#define BUCKETS_N ARRAY_SIZE(buckets)

typedef _Atomic uint64_t counter; /* one thread writes */

struct class_counters {
	counter buckets[BUCKETS_N];
	counter micros, sent, received;
};

/* Of one loop. `requests` by handler, method and status. */
struct loop {
	_Alignas(64) struct class_counters classes[TALLY_CLASSES_N];
	counter requests[];
};

struct tally {
	struct tally_handler *handlers; /* the last one is for all that are unknown */
	size_t handlers_n;
	uint8_t place[STATUS_MAX]; /* of a status; 0: of any other */
	int statuses[STATUSES_N];
	size_t statuses_n;
	unsigned loops_n;
	struct loop *loops[];
};

/* ---- counting ---- */

/* A plain addition, which another thread may read at any time. */
static void add(counter *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static size_t index_of(size_t handler, size_t method, size_t status)
{
	return (handler * METHODS_N + method) * STATUSES_N + status;
}

static size_t find_handler(const struct tally *t, const char *name)
{
	size_t i = 0;

	while (i + 1 < t->handlers_n && t->handlers[i].name != name)
		i++;
	return i;
}

static enum method find_method(struct str m)
{
	if (m.n == 3 && m.p[0] == 'G')
		return GET;
	for (size_t i = 0; i < OTHER; i++)
		if (str_eq_c(m, method_names[i]))
			return (enum method)i;
	return OTHER;
}

void tally_add(struct tally *t, unsigned loop, const struct tally_request *r)
{
	struct loop *l = t->loops[loop];
	size_t handler = find_handler(t, r->handler), bucket = 0;
	size_t status = r->status > 0 && r->status < (int)STATUS_MAX ? t->place[r->status] : 0;
	struct class_counters *c = &l->classes[t->handlers[handler].of];

	while (r->micros > buckets[bucket].micros)
		bucket++;
	add(&l->requests[index_of(handler, find_method(r->method), status)], 1);
	add(&c->buckets[bucket], 1);
	add(&c->micros, r->micros);
	add(&c->sent, r->sent);
	add(&c->received, r->received);
}

/* ---- writing ---- */

static uint64_t value(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static uint64_t sum_requests(const struct tally *t, size_t i)
{
	uint64_t sum = 0;

	for (unsigned l = 0; l < t->loops_n; l++)
		sum += value(&t->loops[l]->requests[i]);
	return sum;
}

struct class_sums {
	uint64_t buckets[BUCKETS_N];
	uint64_t micros, sent, received;
};

static void sum_class(const struct tally *t, size_t class, struct class_sums *ret)
{
	*ret = (struct class_sums){.micros = 0};
	for (unsigned l = 0; l < t->loops_n; l++) {
		const struct class_counters *c = &t->loops[l]->classes[class];
		for (size_t i = 0; i < BUCKETS_N; i++)
			ret->buckets[i] += value(&c->buckets[i]);
		ret->micros += value(&c->micros);
		ret->sent += value(&c->sent);
		ret->received += value(&c->received);
	}
}

#define REQUESTS "modeld_http_requests_total"

/* A status that is not known is written as 0. */
static void write_requests(const struct tally *t, struct buf *out)
{
	const char *head = "# HELP " REQUESTS " Requests that have ended, by what answered, method "
		"and status; 0 is for no answer.\n# TYPE " REQUESTS " counter\n";

	for (size_t h = 0; h < t->handlers_n; h++)
		for (size_t m = 0; m < METHODS_N; m++)
			for (size_t s = 0; s < t->statuses_n; s++) {
				uint64_t n = sum_requests(t, index_of(h, m, s));
				if (n == 0)
					continue;
				buf_add_str(out, head);
				head = "";
				buf_addf(out, REQUESTS "{handler=\"%s\",method=\"%s\",code=\"%d\"} "
					"%" PRIu64 "\n", t->handlers[h].name, method_names[m],
					t->statuses[s], n);
			}
}

static void write_histogram(const char *name, const char *class, const struct class_sums *s,
	struct buf *out)
{
	uint64_t below = 0;

	for (size_t i = 0; i < BUCKETS_N; i++) {
		below += s->buckets[i];
		buf_addf(out, "%s_bucket{class=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, class,
			buckets[i].seconds, below);
	}
	buf_addf(out, "%s_sum{class=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n", name, class,
		s->micros / MICROS, s->micros % MICROS);
	buf_addf(out, "%s_count{class=\"%s\"} %" PRIu64 "\n", name, class, below);
}

static void write_bytes(const char *name, const char *help, const struct class_sums *sums,
	bool sent, struct buf *out)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
	for (size_t i = 0; i < TALLY_CLASSES_N; i++)
		buf_addf(out, "%s{class=\"%s\"} %" PRIu64 "\n", name, class_names[i],
			sent ? sums[i].sent : sums[i].received);
}

void tally_write(const struct tally *t, struct buf *out)
{
	static const char name[] = "modeld_http_request_duration_seconds";
	struct class_sums sums[TALLY_CLASSES_N];

	for (size_t i = 0; i < TALLY_CLASSES_N; i++)
		sum_class(t, i, &sums[i]);
	write_requests(t, out);
	buf_addf(out, "# HELP %s Time from the head of a request to the end of its answer.\n"
		"# TYPE %s histogram\n", name, name);
	for (size_t i = 0; i < TALLY_CLASSES_N; i++)
		write_histogram(name, class_names[i], &sums[i], out);
	write_bytes("modeld_http_response_bytes_total", "Bytes of the bodies of answers.", sums,
		true, out);
	write_bytes("modeld_http_request_bytes_total", "Bytes of the bodies of requests.", sums,
		false, out);
}

/* ---- life ---- */

static void note_status(struct tally *t, int status)
{
	if (t->place[status] > 0 || t->statuses_n == STATUSES_N)
		return;
	t->place[status] = (uint8_t)t->statuses_n;
	t->statuses[t->statuses_n++] = status;
}

static void note_statuses(struct tally *t)
{
	static const int good[] = {200, 201, 202, 204, 206, 304};

	t->statuses_n = 1; /* place 0 is that of status 0 */
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		note_status(t, good[i]);
#define ERR(code, status, blame, title) note_status(t, status);
#include "common/base/err.def"
#undef ERR
}

static void note_handlers(struct tally *t, const struct tally_handler *handlers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;
		while (j < t->handlers_n && t->handlers[j].name != handlers[i].name)
			j++;
		if (j == t->handlers_n)
			t->handlers[t->handlers_n++] = handlers[i];
	}
	t->handlers[t->handlers_n++] = (struct tally_handler){UNKNOWN, TALLY_OTHER};
}

static struct loop *new_loop(size_t handlers)
{
	size_t n = sizeof(struct loop) + index_of(handlers, 0, 0) * sizeof(counter);
	size_t whole = (n + _Alignof(struct loop) - 1) & ~(_Alignof(struct loop) - 1);
	struct loop *l = aligned_alloc(_Alignof(struct loop), whole);

	return l ? memset(l, 0, whole) : NULL;
}

int tally_new(const struct tally_handler *handlers, size_t n, unsigned loops, struct tally **ret,
	struct err *e)
{
	struct tally *t = calloc(1, sizeof(*t) + loops * sizeof(t->loops[0]));

	if (!t)
		return err_nomem(e);
	t->handlers = calloc(n + 1, sizeof(*t->handlers));
	if (!t->handlers) {
		tally_free(t);
		return err_nomem(e);
	}
	note_statuses(t);
	note_handlers(t, handlers, n);
	for (; t->loops_n < loops; t->loops_n++) {
		t->loops[t->loops_n] = new_loop(t->handlers_n);
		if (!t->loops[t->loops_n]) {
			tally_free(t);
			return err_nomem(e);
		}
	}
	*ret = t;
	return 0;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->loops_n; i++)
		free(t->loops[i]);
	free(t->handlers);
	free(t);
}
