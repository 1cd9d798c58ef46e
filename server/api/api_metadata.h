/* SPDX-License-Identifier: Apache-2.0 */
/* The signature of a version, for handlers that come to it in ways of their own. */
#pragma once

#include "common/base/err.h"

struct catalog_version;
struct req;

/* Answer with the signature of this version as TensorFlow Serving tells it. */
int api_metadata_reply(struct req *r, const struct catalog_version *v, struct err *e);
