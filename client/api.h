/* SPDX-License-Identifier: Apache-2.0 */
/* The public API of a modeld server, one request at a time. Each thread has its own. */
#pragma once

#include "client/run.h"
#include "common/json/json.h"
#include "common/model/ref.h"
#include "common/net/http.h"

struct api;

int api_open(const struct run *run, struct api **ret, struct fault *f);
void api_close(struct api *a); /* accepts NULL */
DEFINE_CLEANUP(struct api, api_close)

/* Was the run that it was opened for told to stop? */
bool api_cancelled(const struct api *a);

struct api_request {
	const char *method;
	const char *target;       /* "/v1/models?limit=50": path and query, encoded */
	const char *what;         /* how messages call it: "the model team/m" */
	const char *type;         /* of the body, "application/json" when NULL; with one */
	const char *headers[6];   /* besides; up to the first NULL */
	bool raw;                 /* do not parse the answer */
	struct http_request http; /* body, progress, take, stall_ms; the rest is filled in */
};

struct api_answer {
	struct http_answer http;
	struct json_doc *doc; /* of an answer with JSON that did not go to `take`; else NULL */
};
void api_answer_done(struct api_answer *a);
#define CLEANUP_API_ANSWER CLEANUP(api_answer_done)

/* 0 for 2xx alone. What the server refused is a fault with its sentence, its code where it is
 * one of ours, its exit status, and the document; `*ret` holds the answer then, to look at the
 * status. */
int api_send(struct api *a, const struct api_request *q, struct api_answer *ret, struct fault *f);
/* GET with a JSON answer. */
int api_get(struct api *a, const char *target, const char *what, struct api_answer *ret,
	struct fault *f);

const struct json *api_root(const struct api_answer *a);

/* Which version a ref means, and its description (GET /v1/models/.../versions/N or labels/L).
 * ERR_BAD_REF and the like when `text` is no ref. */
struct api_version {
	struct ref ref;
	uint64_t number;
	struct api_answer answer;
};
int api_version(struct api *a, const char *text, struct api_version *ret, struct fault *f);
void api_version_done(struct api_version *v);
#define CLEANUP_API_VERSION CLEANUP(api_version_done)

/* The code of this name; ERR_INTERNAL for one that is not ours. */
enum err_code api_error_code(const char *name);

/* A name, ref or label from the command line. */
int api_check_name(const char *name, struct fault *f);
int api_check_ref(const char *text, struct ref *ret, struct fault *f);
int api_check_label(const char *label, struct fault *f);
