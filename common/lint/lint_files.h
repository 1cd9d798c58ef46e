/* SPDX-License-Identifier: Apache-2.0 */
/* The files that are to be a version, wherever they are: in an upload, or in a folder on
 * somebody's disk. What is judged here is judged alike for both. A view: names and bytes are
 * their owner's, and outlive it. One thread at a time. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/digest/digest.h"
#include "common/model/manifest.h"

struct lint_file {
	const char *part_name; /* as the client called it; "" for none */
	const char *filename;
	const char *
		path; /* in the version, once lint_files_decide() has; in one of these, or static */
	size_t id;    /* its owner's number, which the calls below are given */
	uint64_t size;
	struct digest digest; /* for the root digest */
};

/* All bytes of a file, held in memory. */
struct lint_bytes {
	const char *data;
	size_t n;
	void *owner;
};

struct lint_files {
	struct lint_file *files;
	size_t n;
	bool from_archive;       /* for messages */
	uint64_t max_model_json; /* bytes of a model.json */
	/* `n` bytes of a file from `at` on, which are there. */
	int (*read_at)(void *cls, size_t id, uint64_t at, void *to, size_t n, struct err *e);
	int (*hold)(void *cls, size_t id, struct lint_bytes *ret, struct err *e);
	void (*drop)(struct lint_bytes *bytes); /* accepts a zeroed one */
	void *cls;
};

/* What the client called a file, as far as one can say without the manifest: its filename,
 * unless that is empty or the "blob" that browsers put there, else its part name; without a
 * leading "./". */
const char *lint_files_called(const char *part_name, const char *filename);
/* True when that name of the client's, without a leading "./", is `path`. */
bool lint_files_is(const char *name, const char *path);

/* Bytes of the folder, slash included, that every file lies in: how an archive of a folder looks. 0
 * for none, and when it is no fit path, which lint_files_decide() will say. There is a file. */
size_t lint_files_shared_folder(const struct lint_files *l);

/* The error of two files that have one path. */
int lint_files_twice(const struct lint_files *l, const char *path, struct err *e);

/* Give every file its path: model.json to the file `model`; to the others, in this order, the
 * one of its two names that the manifest (NULL for none) lists, or what it is called. The files
 * stay in their order. ERR_BAD_PATH; lint_files_twice() when two have the same. */
int lint_files_decide(struct lint_files *l, size_t model, const struct manifest *manifest,
	struct err *e);

/* By path, which are decided. */
void lint_files_sort(struct lint_files *l);
/* Of sorted ones; NULL for none. */
struct lint_file *lint_files_find(const struct lint_files *l, const char *path);
