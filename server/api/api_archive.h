/* SPDX-License-Identifier: Apache-2.0 */
/* A version as a .tar.gz: GET /models/{ref}?tfjs-format=compressed. */
#pragma once

#include "common/base/err.h"

#include <stdbool.h>

struct req;

/* The request has that query. */
bool api_archive_asked(const struct req *r);
/* Answer with the archive of the version that the first capture, a ref, names. Blocks.
 * ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_LABEL_NOT_FOUND, ERR_DELETED, ERR_CORRUPT,
 * ERR_PRECONDITION_FAILED. */
int api_archive_work(struct req *r, struct err *e);
