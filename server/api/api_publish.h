/* SPDX-License-Identifier: Apache-2.0 */
/* From an upload with all its files to the answer, the same for every way in. */
#pragma once

#include "common/registry/registry.h"
#include "server/http/req.h"

struct api_publish {
	char name[REF_NAME_MAX + 1];
	struct upload *upload; /* stays the caller's */
	char label[REF_LABEL_MAX + 1]; /* that was set on the upload; "" for none */
	bool dry_run;
	bool counted; /* in the metrics */
};

/* ?dry_run=true; ERR_BAD_PARAMETER for a value that is not understood, which must not publish. */
int api_publish_dry_run(struct req *r, bool *ret, struct err *e);
/* Publish, or with `dry_run` only judge, and answer. Blocks. A refusal is kept as a rejection. */
int api_publish_run(struct req *r, struct api_publish *x, struct err *e);
