/* SPDX-License-Identifier: Apache-2.0 */
#include "server/work/access_log.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RING_BYTES (1u << 20) /* of each loop; a power of two */
#define TEXT_MAX   1024u      /* of one text of a line */
#define LINE_BYTES (16u << 10) /* a target may be escaped fourfold */
#define WRITE_MAX  (256u << 10)
#define NAP_MS     20 /* in which lines come together: fewer wake-ups and writes under load */

enum text { TEXT_ID, TEXT_METHOD, TEXT_TARGET, TEXT_CLIENT, TEXT_HANDLER, TEXT_TRACE, TEXTS_N };

/* How a line lies in a ring; its texts are behind it. */
struct record {
	uint64_t when_ms, sent, received, micros;
	int status;
	uint16_t n[TEXTS_N];
};

/* One writes, one reads. */
struct ring {
	_Atomic uint64_t head; /* bytes that were ever put; the loop's */
	_Atomic uint64_t lost; /* lines for which there was no room */
	_Alignas(64) _Atomic uint64_t tail; /* bytes that were ever taken; the writer's */
	uint8_t *bytes;
};

struct access_log {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* for waiting */
	pthread_cond_t wake;
	atomic_bool asleep;
	bool stopping; /* under the lock */
	unsigned loops;
	struct ring rings[];
};

/* ---- in: a loop ---- */

static void copy_in(struct ring *ring, uint64_t *at, const void *bytes, size_t n)
{
	size_t from = *at % RING_BYTES, first = n < RING_BYTES - from ? n : RING_BYTES - from;

	memcpy(ring->bytes + from, bytes, first);
	memcpy(ring->bytes, (const uint8_t *)bytes + first, n - first);
	*at += n;
}

static void put(struct ring *ring, const struct record *r, const struct str texts[TEXTS_N])
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t used = head - atomic_load_explicit(&ring->tail, memory_order_acquire);
	size_t n = sizeof(*r);

	for (size_t i = 0; i < TEXTS_N; i++)
		n += r->n[i];
	if (n > RING_BYTES - used) {
		atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
		return;
	}
	copy_in(ring, &head, r, sizeof(*r));
	for (size_t i = 0; i < TEXTS_N; i++)
		copy_in(ring, &head, texts[i].p, r->n[i]);
	/* In one order with `asleep`, or a line and a thread that goes to sleep miss each other. */
	atomic_store(&ring->head, head);
}

void access_log_add(struct access_log *l, unsigned loop, const struct access_log_line *line)
{
	const struct str texts[TEXTS_N] = {
		[TEXT_ID] = str_of(line->request_id),
		[TEXT_METHOD] = line->method,
		[TEXT_TARGET] = line->target,
		[TEXT_CLIENT] = str_of(line->client),
		[TEXT_HANDLER] = str_of(line->handler),
		[TEXT_TRACE] = str_of(line->trace),
	};
	struct record r = {
		.when_ms = line->when_ms,
		.sent = line->sent,
		.received = line->received,
		.micros = line->micros,
		.status = line->status,
	};

	for (size_t i = 0; i < TEXTS_N; i++)
		r.n[i] = (uint16_t)(texts[i].n < TEXT_MAX ? texts[i].n : TEXT_MAX);
	put(&l->rings[loop], &r, texts);
	if (!atomic_load(&l->asleep))
		return;
	pthread_mutex_lock(&l->lock);
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

/* ---- out: the writer ---- */

static void copy_out(const struct ring *ring, uint64_t *at, void *bytes, size_t n)
{
	size_t from = *at % RING_BYTES, first = n < RING_BYTES - from ? n : RING_BYTES - from;

	memcpy(bytes, ring->bytes + from, first);
	memcpy((uint8_t *)bytes + first, ring->bytes, n - first);
	*at += n;
}

static void format(const struct record *r, char (*texts)[TEXT_MAX + 1], struct buf *out)
{
	char status[12], sent[24], received[24], micros[24];
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_BYTES);

	(void)snprintf(status, sizeof(status), "%d", r->status);
	(void)snprintf(sent, sizeof(sent), "%" PRIu64, r->sent);
	(void)snprintf(received, sizeof(received), "%" PRIu64, r->received);
	(void)snprintf(micros, sizeof(micros), "%" PRIu64, r->micros);
	log_format(&line, LOG_LEVEL_INFO, r->when_ms, "request", "id", texts[TEXT_ID], "client",
		texts[TEXT_CLIENT], "method", texts[TEXT_METHOD], "target", texts[TEXT_TARGET],
		"handler", texts[TEXT_HANDLER], "#status", status, "#sent", sent, "#received",
		received, "#us", micros, r->n[TEXT_TRACE] ? "trace" : NULL, texts[TEXT_TRACE],
		NULL);
	if (!buf_failed(&line))
		buf_add(out, line.data, line.len);
}

/* A log that cannot be written has nobody to be told. */
static void write_out(const struct access_log *l, struct buf *lines)
{
	struct err ignored;

	if (lines->len > 0)
		(void)fsio_write_all(l->fd, lines->data, lines->len, "the access log", &ignored);
	buf_clear(lines);
}

static void take(struct ring *ring, uint64_t *tail, struct buf *lines)
{
	char texts[TEXTS_N][TEXT_MAX + 1];
	struct record r;

	copy_out(ring, tail, &r, sizeof(r));
	for (size_t i = 0; i < TEXTS_N; i++) {
		copy_out(ring, tail, texts[i], r.n[i]);
		texts[i][r.n[i]] = '\0';
	}
	/* Before the line is made: the loop may have the room. */
	atomic_store_explicit(&ring->tail, *tail, memory_order_release);
	format(&r, texts, lines);
}

static void tell_lost(struct ring *ring, struct buf *lines)
{
	uint64_t lost = atomic_exchange_explicit(&ring->lost, 0, memory_order_relaxed);
	char text[24];

	if (lost == 0)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64, lost);
	log_format(lines, LOG_LEVEL_WARNING, clock_now_ms(),
		"access lines lost, the log is read too slowly", "#lines", text, NULL);
}

/* True when there was something. */
static bool drain(struct access_log *l, struct ring *ring, struct buf *lines)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t head = atomic_load(&ring->head);
	bool any = tail != head;

	while (tail != head) {
		take(ring, &tail, lines);
		if (lines->len > WRITE_MAX - LINE_BYTES)
			write_out(l, lines);
	}
	tell_lost(ring, lines);
	write_out(l, lines);
	return any;
}

static bool drain_all(struct access_log *l, struct buf *lines)
{
	bool any = false;

	for (unsigned i = 0; i < l->loops; i++)
		any |= drain(l, &l->rings[i], lines);
	return any;
}

static bool is_empty(struct access_log *l)
{
	for (unsigned i = 0; i < l->loops; i++)
		if (atomic_load(&l->rings[i].head) != atomic_load(&l->rings[i].tail))
			return false;
	return true;
}

static void nap(struct access_log *l)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += NAP_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	(void)pthread_cond_timedwait(&l->wake, &l->lock, &until);
}

/* False when it is time to end. */
static bool wait_for_lines(struct access_log *l, bool had_some)
{
	pthread_mutex_lock(&l->lock);
	if (had_some && !l->stopping)
		nap(l);
	atomic_store(&l->asleep, true);
	while (!l->stopping && is_empty(l))
		pthread_cond_wait(&l->wake, &l->lock);
	atomic_store(&l->asleep, false);
	bool goes_on = !l->stopping;
	pthread_mutex_unlock(&l->lock);
	return goes_on;
}

static void *writer(void *cls)
{
	struct access_log *l = cls;
	CLEANUP_BUF struct buf lines = BUF_INIT(WRITE_MAX);

	while (wait_for_lines(l, drain_all(l, &lines)))
		;
	(void)drain_all(l, &lines);
	return NULL;
}

/* ---- life ---- */

static void free_log(struct access_log *l)
{
	for (unsigned i = 0; i < l->loops; i++)
		free(l->rings[i].bytes);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int access_log_start(int fd, unsigned loops, struct access_log **ret, struct err *e)
{
	struct access_log *l = aligned_alloc(_Alignof(struct access_log),
		sizeof(*l) + loops * sizeof(l->rings[0]));
	int failed = ENOMEM;

	if (!l)
		return err_nomem(e);
	memset(l, 0, sizeof(*l) + loops * sizeof(l->rings[0]));
	l->fd = fd;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	for (; l->loops < loops; l->loops++) {
		l->rings[l->loops].bytes = malloc(RING_BYTES);
		if (!l->rings[l->loops].bytes)
			break;
	}
	if (l->loops == loops)
		failed = pthread_create(&l->thread, NULL, writer, l);
	if (failed) {
		free_log(l);
		return err_sys(e, failed, "cannot start the access log's thread");
	}
	*ret = l;
	return 0;
}

void access_log_stop(struct access_log *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	free_log(l);
}
