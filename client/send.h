/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a model into an upload on the server (/v1/uploads), and that into a version. */
#pragma once

#include "client/crew.h"
#include "client/local.h"

struct send;

struct send_options {
	const struct run *run;
	const char *model;
	struct local *local;       /* judged: paths, digests and order stand */
	const struct digest *root; /* of the files */
	unsigned threads;
	bool passing; /* an upload that is thrown away: none is found, none remembered */
};

/* Open an upload, or find the one that this very push had opened when it was interrupted. */
int send_open(const struct send_options *o, struct api *a, struct send **ret, struct fault *f);
/* Leaves the upload on the server, for the same push to find. Accepts NULL. */
void send_close(struct send *s);
DEFINE_CLEANUP(struct send, send_close)

/* Of files that the server had before, in whatever version or in the upload that was found. */
struct send_tally {
	uint64_t there;
	uint64_t sent; /* of bodies, those of attempts that failed included */
	size_t files_there;
};

/* Which files the server has; with `mount` they are made part of the upload, and are not sent.
 * Those that it has not are sent by send_files(). In parallel, with progress, retried. */
int send_files(struct send *s, struct fault *f);
/* Only ask; the tally says what would be sent. */
int send_ask(struct send *s, struct fault *f);
const struct send_tally *send_tally(const struct send *s);

/* Turn it into a version, or with `dry_run` have it judged. `label` may be NULL. The answer is that
 * of :publish. A blob that was collected meanwhile is sent again. */
int send_publish(struct send *s, struct api *a, const char *label, bool dry_run,
	struct api_answer *ret, struct fault *f);
/* Throw the upload away. */
int send_drop(struct send *s, struct api *a, struct fault *f);
