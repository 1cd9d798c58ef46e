/* SPDX-License-Identifier: Apache-2.0 */
/* What an import is asked to do: the body of POST /v1/models/{name}:import. Nothing here blocks. */
#pragma once

#include "common/base/buf.h"
#include "common/digest/digest.h"
#include "common/model/ref.h"
#include "common/net/url.h"
#include "common/store/catalog_job.h"

#define IMPORT_REQUEST_HEADERS 32u
#define IMPORT_REQUEST_INCLUDE 64u
#define IMPORT_REQUEST_EXPECT  1000u
#define IMPORT_REQUEST_PARTS   64u

struct import_expect {
	char *path;
	struct digest digest;
};

struct import_part {
	char *path;
	char *etag; /* strong, that it came with */
};

struct import_request {
	char model[REF_NAME_MAX + 1];
	char label[REF_LABEL_MAX + 1]; /* "" for none */
	char mirror[CATALOG_MIRROR_MAX + 1];
	char who[CATALOG_WHO_MAX + 1];
	char *models; /* whose files he may have, as grants of the scope read; NULL: of none */
	struct url url;
	bool from_tf_hub; /* "fromTFHub": a handle, with model.json?tfjs-format=file below it */
	char *weight_prefix; /* "weightPathPrefix", a URL; NULL */
	char **headers;      /* "Name: value", never shown */
	size_t headers_n;
	char **include;      /* companions, paths beside model.json */
	size_t include_n;
	bool has_root;       /* "expect": {"root": "sha256:<hex>"} */
	struct digest root;
	struct import_expect *files; /* "expect": {"files": {"<path>": "sha256:<hex>"}} */
	size_t files_n;
	/* The importer's own: what has arrived in part, to go on with after a restart. */
	struct import_part *parts;
	size_t parts_n;
};

/* Strict: an unknown field is an error that names it. ERR_BAD_JSON, ERR_BAD_REQUEST, ERR_BAD_URL,
 * ERR_BAD_NAME, ERR_BAD_PATH. `model`, `mirror`,
 * `who` and `models` are the caller's to set. */
int import_request_parse(struct str json, struct import_request *ret, struct err *e);
/* The same with everything, headers and model too: for the request file. */
void import_request_write(const struct import_request *q, struct buf *out);
int import_request_read(struct str json, struct import_request *ret, struct err *e);
/* Add a part, or give the one of this path another ETag; without one it is forgotten. False when
 * nothing changed, and when there are too many or there is no memory. */
bool import_request_set_part(struct import_request *q, const char *path, const char *etag);
/* NULL for none; valid until the next change. */
const char *import_request_part(const struct import_request *q, const char *path);
/* What may be shown: URLs redacted, of headers the names alone. */
void import_request_show(const struct import_request *q, struct buf *out);
void import_request_clear(struct import_request *q);
