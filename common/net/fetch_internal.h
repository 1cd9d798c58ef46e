/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fetch.h share. Nobody else includes this.
 *
 * A fetch belongs to the thread that takes it; what others look at is under the fetcher's one lock,
 * which nobody holds while doing something long. */
#pragma once

#include "common/net/fetch.h"

#include <curl/curl.h>
#include <pthread.h>

#define FETCH_BUFFER  (128u << 10) /* of libcurl, for one read of the socket */
#define FETCH_DISCARD (64u << 10)  /* bytes of a body that nobody wants, to keep the connection */
#define FETCH_LOOK_MS 500u         /* how often `cancel` and the clock are looked at, at least */

/* A connection that may be open. What is kept of it when a transfer has ended is for the same host
 * alone. Under the lock; its multi handle is used by the fetch that has the lane, and woken by
 * all. */
struct fetch_lane {
	struct fetch_lane *next; /* the one that was used last is first */
	bool busy;
	bool strange; /* what is kept leads somewhere else */
	char scheme[8];
	char host[256];
	unsigned port;
	CURLM *multi;
};

struct fetcher {
	const struct address_list *allow;
	unsigned max_connections;
	unsigned max_per_host;
	char *ca_file;
	char *user_agent;

	pthread_mutex_t lock; /* of the rest, and of what a fetch says is under it */
	struct fetch *all;
	struct fetch *waiting, **waiting_end; /* for a connection, in their order */
	struct fetch_lane *all_lanes; /* max_connections of them */
	struct fetch_lane *lanes;     /* the same as a list */
	struct fetch_piece *spare; /* while there is any fetch */
};

/* Bytes between libcurl and the taker. */
struct fetch_piece {
	struct fetch_piece *next; /* of the fetcher's spare ones */
	char bytes[FETCH_PIECE];
};

/* What the other side said, as text, of the head that is arriving. */
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
	FETCH_ENDED,  /* all of it came */
	FETCH_FAILED, /* `failure` says why */
};

enum fetch_coding { FETCH_PLAIN, FETCH_GZIP, FETCH_BROTLI };

struct fetch {
	struct fetcher *f;
	struct fetch *all_next, **all_at; /* under the lock */

	/* The wait for a connection; under the lock. */
	pthread_cond_t changed;
	struct fetch *next; /* in the list of those that wait */
	bool waiting;
	struct fetch_lane *lane; /* the one that it has; NULL */

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

	/* How far it is. */
	enum fetch_phase phase;
	struct fetch_head head;
	int status;
	struct err failure;
	bool may_retry;
	bool begin_anew;
	uint64_t retry_after_ms;

	/* Of the body. */
	struct fetch_piece *piece; /* NULL until the first bytes come */
	size_t filled;             /* bytes of it */
	bool given;                /* to the taker, until the next call */
	bool paused;               /* libcurl holds back what there was no room for */

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
	uint64_t looked_ms; /* last, while its taker waits */
	uint64_t window_ms; /* for how long that was since the rate was judged */
	uint64_t window_wire;

	/* Decoding. */
	struct fetch_decode *decode;
	struct str undecoded;
	char *decoded;
	uint64_t decoded_n;
	bool cut; /* it ended within its coding */
};

/* fetch_lane.c: who may have a connection. */
/* Wait for one to `hop`. ERR_CANCELLED, ERR_FETCH_TIMED_OUT. */
int fetch_lane_enter(struct fetch *x, struct err *e);
/* It may be kept for another transfer. Nothing, when it has none. */
void fetch_lane_leave(struct fetch *x);
int fetch_lane_init_all(struct fetcher *f, struct err *e);
/* No fetch has one. */
void fetch_lane_done_all(struct fetcher *f);

/* fetch_run.c: the transfer, while its taker waits. */
/* Until its head is there, or it has ended. */
void fetch_run_to_head(struct fetch *x);
/* Until bytes are there, as many as are worth a call, or it has ended. */
void fetch_run_to_bytes(struct fetch *x);
/* ERR_CANCELLED, or ERR_FETCH_TIMED_OUT: it has had its time. */
int fetch_run_judge(const struct fetch *x, uint64_t now, struct err *e);
/* Whatever becomes of it. */
void fetch_run_stop(struct fetch *x);

/* fetch_piece.c */
/* All of it is taken or none: false when there is no room. Without memory, `fault` is set. */
bool fetch_piece_add(struct fetch *x, const char *bytes, size_t n);
/* Another fetch may have its memory. */
void fetch_piece_leave(struct fetch *x);
/* Under the lock. */
void fetch_piece_drop_spare(struct fetcher *f);

/* fetch_easy.c: what goes to libcurl and what comes from it. */
int fetch_easy_new(struct fetch *x, struct err *e);
/* Set for a request to `hop`. */
int fetch_easy_aim(struct fetch *x, struct err *e);

/* fetch_answer.c: one line of a head, and the verdict at its end: into `fault`, `follow`, or the
 * head for the taker. */
void fetch_answer_line(struct fetch *x, struct str line);
void fetch_answer_end(struct fetch *x, int status);

/* fetch_say.c: sentences. They begin with what is fetched and from where. */
int fetch_say(const struct fetch *x, struct err *e, enum err_code code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
#define fetch_say(...) err_negative(fetch_say(__VA_ARGS__))
/* Puts them before a sentence that is there. */
void fetch_say_where(const struct fetch *x, struct err *e);
/* What libcurl ended with. *ret_retry: may trying again help? */
void fetch_say_curl(struct fetch *x, CURLcode code, struct err *e, bool *ret_retry);

/* fetch_decode.c: content codings. */
struct fetch_decode;
int fetch_decode_new(enum fetch_coding coding, struct fetch_decode **ret, struct err *e);
/* Unpack what is at the front of `*in`, which is moved on. Less than `room` comes out only when all
 * of `*in` is used up. ERR_FETCH_FAILED when it is damaged. */
int fetch_decode_step(struct fetch_decode *d, struct str *in, void *to, size_t room,
	size_t *ret_n, struct err *e);
/* ERR_FETCH_FAILED unless it ends here. */
int fetch_decode_finish(struct fetch_decode *d, struct err *e);
void fetch_decode_free(struct fetch_decode *d);
