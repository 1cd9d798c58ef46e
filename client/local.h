/* SPDX-License-Identifier: Apache-2.0 */
/* A model on the disk of who runs this: a folder, or an archive, which is unpacked into a temporary
 * folder. For lint and push. Everything blocks. */
#pragma once

#include "client/run.h"
#include "common/lint/lint.h"
#include "common/model/finding_policy.h"

#define LOCAL_FILES_MAX 20000
#define LOCAL_JSON_MAX  (32u << 20) /* bytes of a model.json that can be judged */
#define LOCAL_DEPTH_MAX 32
#define LOCAL_EXPANSION 1100

struct local;

/* Names that begin with a dot are passed over, and what archives hold beside files (archive.h).
 * ERR_BAD_PARAMETER for what is neither a folder nor an archive, ERR_BAD_ARCHIVE, ERR_BAD_GZIP. */
int local_open(const struct run *run, const char *path, struct local **ret, struct fault *f);
/* Removes the temporary folder. Accepts NULL. */
void local_close(struct local *l);
DEFINE_CLEANUP(struct local, local_close)

/* For lint(). Reading ends with ERR_CANCELLED when the run is cancelled. */
struct lint_files *local_files(struct local *l);
uint64_t local_bytes(const struct local *l); /* of all files */
/* Open a file by the id that it has in local_files(). Any thread. The caller closes it. */
int local_file_open(const struct local *l, size_t id, int *ret_fd, struct fault *f);

/* Is `text` the path of something that is there? Else it has the form of a REF; ERR_BAD_PARAMETER
 * when it has not. */
int local_is(const char *text, bool *ret, struct fault *f);

/* What --rule says. *ret outlives findings made with it. ERR_CONFIG. */
int local_policy(const struct args *a, struct finding_policy *ret, struct fault *f);

/* lint(), with the exit status of its refusals, and with progress when it takes long. */
int local_lint(struct local *l, struct lint_verdict *ret, struct findings *findings,
	struct fault *f);
