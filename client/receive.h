/* SPDX-License-Identifier: Apache-2.0 */
/* One file of a version onto the disk: first beside its place, verified by digest, gone on with
 * after a cut or another run; then, with the others, into its place. Any thread, each file in
 * one. */
#pragma once

#include "client/crew.h"
#include "common/digest/digest.h"

/* Below the folder; what is in it belongs to files that are not whole yet. */
#define RECEIVE_PARTS ".modelctl-parts"

struct receive_file {
	const char *path; /* fit for one (filepath.h) */
	uint64_t size;
	struct digest digest;
	size_t number;    /* in the version: parts are named by it and the digest */
	bool there;       /* the folder has it */
	uint64_t counted; /* bytes that the progress knows of */
};

struct receive {
	const char *folder;
	const char *base; /* "/models/NAME@VERSION/" */
	struct progress *progress;
	atomic_uint_fast64_t received; /* of bodies */
};

/* The folder and the one for parts. */
int receive_begin(const struct receive *x, struct fault *f);
/* Is it there, or else get all of it as a part. */
int receive_file(struct receive *x, struct api *a, struct receive_file *file, struct fault *f);
/* The part into its place. */
int receive_place(const struct receive *x, const struct receive_file *file, struct fault *f);
/* Removes the folder for parts, if it is empty. */
void receive_end(const struct receive *x);
