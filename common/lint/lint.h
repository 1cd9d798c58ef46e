/* SPDX-License-Identifier: Apache-2.0 */
/* The whole judgement over files that nobody has sent yet: what the daemon says of them when
 * they are published, but for what its operator decided otherwise (severities, repair = off). */
#pragma once

#include "common/lint/lint_files.h"
#include "common/lint/lint_model.h"
#include "common/model/weightscan.h"

struct lint_verdict {
	struct modeljson *json; /* NULL until it could be read; reads `bytes` */
	struct artifact *artifact;
	struct weightscan *scan; /* finished; NULL without weights */
	uint64_t weight_bytes;
	bool resharded;     /* the server will cut the shards anew */
	struct digest root; /* of the files as they are */
	struct lint_bytes bytes;
	void (*drop)(struct lint_bytes *bytes);
};

/* Reads every byte once. On success `l` is sorted by path, a folder that all files lie in is off
 * their names, and their digests are known. ERR_NOT_LOADABLE: `f` says why; other errors are
 * those of reading, and what makes files unfit to be a version: ERR_BAD_PATH, ERR_TOO_LARGE. In
 * either case lint_verdict_done(). Blocks. */
int lint(struct lint_files *l, struct lint_verdict *ret, struct findings *f, struct err *e);
void lint_verdict_done(struct lint_verdict *v);
#define CLEANUP_LINT_VERDICT CLEANUP(lint_verdict_done)
