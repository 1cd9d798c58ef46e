/* SPDX-License-Identifier: Apache-2.0 */
/* One file into an upload: asked for, sent, gone on with after a cut. For send.c; any thread, each
 * file in one. */
#pragma once

#include "client/crew.h"
#include "client/local.h"
#include "client/resume.h"

struct send_file {
	const struct lint_file *file;
	const char *path; /* in the upload: as it is called here */
	bool there;       /* the upload has it */
	bool had;         /* the server had it before this sent anything */
	bool begun;       /* the upload has some of it */
	uint64_t counted; /* bytes of it that the progress knows of */
};

struct send_file_upload {
	char id[RESUME_ID_MAX + 1];
	struct local *local;
	struct progress *progress;
	bool again; /* the server's blobs cannot be counted on */
	atomic_uint_fast64_t sent;
};

/* Make a file that the server has part of the upload; else nothing happens. */
int send_file_mount(struct send_file_upload *u, struct api *a, struct send_file *file,
	struct fault *f);
/* Have the upload hold all of it. */
int send_file_put(struct send_file_upload *u, struct api *a, struct send_file *file,
	struct fault *f);
