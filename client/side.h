/* SPDX-License-Identifier: Apache-2.0 */
/* One of two models that are compared: a version on the server, or files on disk. Both as JSON
 * of the same shape, so that nothing else has to know which is which. */
#pragma once

#include "client/api.h"

struct side {
	char name[4096];            /* "team/m@7", or the folder */
	struct json_doc *files;     /* [{"path","bytes","sha256"}...] */
	struct json_doc *tensors;   /* weightscan_write(): [{"name","dtype","shape",...}...] */
	struct json_doc *model;     /* model.json */
	const struct json *files_v; /* the arrays in them */
	const struct json *tensors_v;
};

/* What exists as a file is one; else it is a REF. A model on disk that is invalid is a fault. */
int side_load(const struct run *run, struct api *a, const char *what, struct side *ret,
	struct fault *f);
void side_done(struct side *s);
#define CLEANUP_SIDE CLEANUP(side_done)
