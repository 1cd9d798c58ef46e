/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that several JSON answers share. */
#pragma once

#include "common/json/json_write.h"
#include "server/api/app.h"
#include "server/http/req.h"

void api_json_ref(struct json_write *w, const char *key, const char *model, uint64_t version);
/* The pinned URL of a version's model.json. */
void api_json_url(struct json_write *w, const char *key, const char *base_url, const char *model,
	uint64_t version);
void api_json_root(struct json_write *w, const char *key, const struct digest *root);
/* One element of TensorFlow Serving's model_version_status. */
void api_json_status(struct json_write *w, uint64_t version);

/* Answer 200 with this JSON (taken over) under Cache-Control: no-cache (private when
 * it is for who asks alone) and an ETag of its bytes;
 * conditions are honoured. */
int api_json_reply(struct req *r, struct buf *json, struct err *e);

/* The same of a page of a list: with a Link to the next one, if `link` has one. */
int api_json_reply_page(struct req *r, struct buf *json, const struct buf *link, struct err *e);

/* The same of what looks otherwise by a field of the request: "Accept". */
int api_json_reply_varied(struct req *r, struct buf *json, const char *vary, struct err *e);

/* The same with an ETag of the caller's. */
int api_json_reply_tagged(struct req *r, struct buf *json, const char *etag, struct err *e);

/* The ETag of a label's revision: "\"12\"". */
#define API_JSON_REVISION_TEXT 24
const char *api_json_revision(uint64_t revision, char buf[API_JSON_REVISION_TEXT]);

/* A name or ref that cannot exist is not found: turns ERR_BAD_NAME and ERR_BAD_REF into
 * ERR_MODEL_NOT_FOUND; returns the code. */
int api_json_absent(struct err *e);
