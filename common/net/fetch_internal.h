/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fetch.h share. Nobody else includes this.
 *
 * Two threads know a fetch: its taker and the loop. What they share is under the fetcher's one
 * lock, which nobody holds while doing something long; the rest belongs to one of them. The loop
 * owns the easy handle from fetch_loop_give() until `gone`. */
#pragma once

#include "common/net/fetch.h"

#include <curl/curl.h>
#include <pthread.h>

#define FETCH_SLOTS    (FETCH_PIECES + 1) /* those that wait, and the one that the taker has */
#define FETCH_DISCARD  (64u << 10) /* bytes of a body that nobody wants, to keep the connection */
#define FETCH_LOOK_MS  500u        /* how often `cancel` and the clock are looked at, at least */

struct fetcher {
	const struct address_list *allow;
	unsigned max_connections;
	unsigned max_per_host;
	char *ca_file;
	char *user_agent;
	CURLM *multi; /* the loop's; curl_multi_wakeup() is for all */
	pthread_t thread;

	pthread_mutex_t lock; /* of the rest, and of what a fetch says is under it */
	struct fetch *all;
	struct fetch *todo, **todo_end; /* the loop is to look at them */
	bool stopping;
};

/* Bytes on their way from the loop to the taker: a ring of slots. [first, first + ready) wait for
 * the taker, who has the one before `first` while `taken`; the loop fills the one behind. */
struct fetch_queue {
	char *slots[FETCH_SLOTS]; /* of FETCH_PIECE bytes; NULL until the loop first needs it */
	size_t n[FETCH_SLOTS];
	char *slot;               /* that is being filled, and how far: the loop's alone */
	size_t filled;
	unsigned first, ready;    /* under the lock */
	bool taken;               /* under the lock */
	bool paused;              /* under the lock: the loop waits for room */
	bool hungry;              /* under the lock: the taker waits for bytes */
};

/* What the other side said, as text, of the head that is arriving. The loop's. */
struct fetch_answer {
	bool begun;   /* a status line came */
	bool whole;   /* and all of the final head: what follows is a trailer */
	int status;
	unsigned have; /* one bit for each field, see fetch_answer.c */
	unsigned bad;  /* for each that is too long, or came again and is different */
	char etag[256];
	char last_modified[64];
	char content_type[128];
	char content_range[96];
	char content_length[32];
	char content_encoding[64];
	char transfer_encoding[64];
	char content_location[URL_MAX + 1];
	char location[URL_MAX + 1];
	char repr_digest[512];
	char retry_after[64];
};

enum fetch_phase {
	FETCH_ASKING, /* no final head is there */
	FETCH_BODY,   /* `head` is there, more may come */
	FETCH_ENDED,  /* all of it is in the queue */
	FETCH_FAILED, /* `failure` says why */
};

enum fetch_coding { FETCH_PLAIN, FETCH_GZIP, FETCH_BROTLI };

struct fetch {
	struct fetcher *f;
	struct fetch *all_next, **all_at;   /* under the lock */
	struct fetch *todo_next, **todo_at; /* under the lock; NULL: is not there */
	struct fetch *next;                 /* in a list of the loop */

	/* The request; constant. */
	char *what;
	char **headers;
	size_t headers_n;
	char *accept;
	char *if_range;
	char *if_none_match;
	bool ask_coded;
	uint64_t from, max_bytes, connect_ms, timeout_ms, min_rate, min_rate_ms;
	const atomic_bool *cancel;

	/* Under the lock. */
	pthread_cond_t changed;
	enum fetch_phase phase;
	bool given_up; /* the taker has: the loop is to let go */
	bool gone;     /* the loop has let go */
	struct fetch_queue queue;
	struct fetch_head head;
	int status;
	struct err failure;
	bool may_retry;
	bool begin_anew;
	uint64_t retry_after_ms;

	/* The loop's. */
	CURL *easy;
	struct curl_slist *fields; /* of the request that is out */
	char curl_says[CURL_ERROR_SIZE];
	struct url hop;     /* where the request goes */
	struct url origin;  /* whose the caller's headers are */
	bool own_headers;   /* no hop has left the origin */
	bool running;       /* libcurl has it */
	unsigned hops;
	size_t head_bytes;  /* of all heads so far */
	struct fetch_answer answer;
	bool discard;       /* what comes is nobody's */
	bool follow;        /* when that has ended, `hop` is asked */
	size_t discarded;
	uint64_t got;       /* bytes of the body, as they come */
	uint64_t expected;  /* how many it should be, UINT64_MAX when it was not said */
	enum fetch_coding coding;
	struct err fault;   /* found in a callback, which can but stop libcurl; ERR_NONE */
	bool fault_retry, fault_anew;
	uint64_t fault_after_ms;
	struct err refusal; /* of the first address that was refused at this hop; ERR_NONE */
	bool connecting;    /* an address was allowed at this hop */
	int socket_errno;   /* why no socket could be had for it, 0 */
	uint64_t deadline_ms;
	uint64_t wire;      /* bytes of bodies and heads, for the rate */
	uint64_t looked_ms; /* last */
	bool was_paused;    /* then */
	uint64_t window_ms; /* how long it has run since the rate was judged */
	uint64_t window_wire;

	/* The taker's. */
	struct fetch_decode *decode;
	struct str undecoded;
	char *decoded;
	uint64_t decoded_n;
	bool cut; /* it ended within its coding */
};

/* fetch_loop.c */
void *fetch_loop_run(void *fetcher);
/* Under the lock: the loop looks at it. */
void fetch_loop_give(struct fetch *x);

/* fetch_easy.c: what goes to libcurl and what comes from it. */
int fetch_easy_new(struct fetch *x, struct err *e);
/* Set for a request to `hop`. On the loop, or before it has the fetch. */
int fetch_easy_aim(struct fetch *x, struct err *e);

/* fetch_answer.c: one line of a head, and the verdict at its end: into `fault`, `follow`, or the
 * head for the taker. */
void fetch_answer_line(struct fetch *x, struct str line);
void fetch_answer_end(struct fetch *x, int status);

/* fetch_queue.c. On the loop. */
/* All of it is taken or none: false when there is no room, and the loop will hear when there is.
 * Without memory, `fault` is set. */
bool fetch_queue_add(struct fetch *x, const char *bytes, size_t n);
/* What was filled goes to the taker, if it waits or `end`. */
void fetch_queue_flush(struct fetch *x, bool end);
bool fetch_queue_paused(struct fetch *x);
/* On the taker's thread, under the lock. NULL when nothing waits. */
const char *fetch_queue_take(struct fetch *x, size_t *ret_n);
void fetch_queue_done(struct fetch_queue *q);

/* fetch_say.c: sentences. They begin with what is fetched and from where. */
int fetch_say(const struct fetch *x, struct err *e, enum err_code code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
#define fetch_say(...) err_negative(fetch_say(__VA_ARGS__))
/* Puts them before a sentence that is there. */
void fetch_say_where(const struct fetch *x, struct err *e);
/* What libcurl ended with. *ret_retry: may trying again help? */
void fetch_say_curl(struct fetch *x, CURLcode code, struct err *e, bool *ret_retry);

/* fetch_decode.c: content codings, on the taker's thread. */
struct fetch_decode;
int fetch_decode_new(enum fetch_coding coding, struct fetch_decode **ret, struct err *e);
/* Unpack what is at the front of `*in`, which is moved on. Less than `room` comes out only when all
 * of `*in` is used up. ERR_FETCH_FAILED when it is damaged. */
int fetch_decode_step(struct fetch_decode *d, struct str *in, void *to, size_t room,
	size_t *ret_n, struct err *e);
/* ERR_FETCH_FAILED unless it ends here. */
int fetch_decode_finish(struct fetch_decode *d, struct err *e);
void fetch_decode_free(struct fetch_decode *d);
