/* SPDX-License-Identifier: Apache-2.0 */
/* Which upload a push that was interrupted had opened: a file below $XDG_STATE_HOME/modelctl
 * (~/.local/state/modelctl) for each server, model and root digest. Losing one costs bytes that are
 * sent again, and nothing else: so no failure here is told. */
#pragma once

#include "client/run.h"
#include "common/digest/digest.h"

#define RESUME_ID_MAX 128

/* Held by one push of these files at a time, and by nobody once the descriptor is closed or the
 * process has ended: two at once would write into one upload. -1 when another one has it. */
int resume_lock(const struct run *run, const char *model, const struct digest *root);

/* The id, or "" when there is none that is fit to stand in a URL. */
void resume_find(const struct run *run, const char *model, const struct digest *root,
	char id[RESUME_ID_MAX + 1]);
void resume_keep(const struct run *run, const char *model, const struct digest *root,
	const char *id);
void resume_forget(const struct run *run, const char *model, const struct digest *root);
