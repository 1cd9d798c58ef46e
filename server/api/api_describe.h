/* SPDX-License-Identifier: Apache-2.0 */
/* Describing a version, for handlers that come to it in ways of their own. */
#pragma once

#include "common/base/err.h"

struct req;

/* Answer with the version that the captures name: a ref, or a name and a version number. Blocks.
 * ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND. */
int api_describe_work(struct req *r, struct err *e);
