/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an upload that is its model.json. Inside the registry only. */
#pragma once

#include "common/model/artifact.h"
#include "common/registry/upload_internal.h"

/* Parsed, JSON takes some ten times its size: of files larger than this there is one at a time. */
#define UPLOAD_MODEL_LARGE (1u << 20)

struct upload_model {
	pthread_mutex_t *large; /* locked while the file is parsed, if it is; else NULL */
	size_t file; /* index into the upload's files, until paths are decided */
	char *old_name; /* the path it came under when that was another one, or NULL */
	struct blob *bytes;
	struct modeljson *json; /* reads `bytes` */
	struct artifact *artifact; /* reads `json` */
};

/* Find it, by name or by what it holds, and parse it. What is wrong with it is in `f`, and an
 * ERR_NOT_LOADABLE; ERR_TOO_LARGE; ERR_BAD_MULTIPART when two are called model.json. */
int upload_model_read(struct upload *u, struct upload_model *ret, struct findings *f,
	struct err *e);
/* On the thread that read it; may be repeated. */
void upload_model_done(struct upload_model *m);
