/* SPDX-License-Identifier: Apache-2.0 */
/* What other commands do with labels. */
#pragma once

#include "client/api.h"

/* Make it name the version. `condition` is a header, If-Match or If-None-Match, or NULL. */
int cmd_label_move(struct api *a, const char *name, const char *label, uint64_t version,
	const char *condition, struct api_answer *ret, struct fault *f);
