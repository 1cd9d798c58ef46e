/* SPDX-License-Identifier: Apache-2.0 */
/* Naming and describing a version, for handlers that come to it in ways of their own. */
#pragma once

#include "common/model/ref.h"

struct catalog_label;
struct catalog_version;
struct req;

/* What the captures name: a ref, or a name and a version number. ERR_BAD_NAME, ERR_BAD_REF,
 * ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND. */
int api_describe_ref(struct req *r, struct ref *ret, struct err *e);

/* Answer with the version that the captures name: a ref, or a name and a version number. Blocks.
 * ERR_MODEL_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_LABEL_NOT_FOUND, ERR_DELETED. */
int api_describe_work(struct req *r, struct err *e);

/* Answer with this version; of a label (NULL: none) that names it, whose revision then is the
 * ETag. */
int api_describe_reply(struct req *r, const struct catalog_version *v,
	const struct catalog_label *label, struct err *e);
