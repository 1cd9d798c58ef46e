/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of modeld's URLs, and the table that names them. */
#pragma once

#include "server/api/app.h"
#include "server/http/req.h"
#include "server/http/router.h"

/* Data plane */
extern const struct handler api_files;    /* GET a file of a version */
extern const struct handler api_publish;  /* POST, PUT: what model.save sends, or an archive */
extern const struct handler api_named_version; /* GET /models/{ref}: in words, or an archive */
extern const struct handler api_named; /* GET /models/{name}, or a file beside its model.json */

/* API */
extern const struct handler api_models_list;
extern const struct handler api_models_show;
extern const struct handler api_describe; /* GET /v1/models/{name}/versions/{v} */
extern const struct handler api_delete_version;
extern const struct handler api_delete_model;
extern const struct handler api_labels_list;
extern const struct handler api_labels_show;    /* the version that a label names */
extern const struct handler api_labels_move;
extern const struct handler api_labels_drop;
extern const struct handler api_labels_history; /* what became of a label */
extern const struct handler api_labels_metadata;
extern const struct handler api_metadata;   /* the signature, as TensorFlow Serving has it */
extern const struct handler api_rejections; /* why publishes were refused */
extern const struct handler api_tensors;    /* what was measured of a version's weights */

extern const struct handler api_uploads_create;
extern const struct handler api_uploads_show;
extern const struct handler api_uploads_drop;
extern const struct handler api_uploads_publish;
extern const struct handler api_upload_files_put;
extern const struct handler api_upload_files_patch; /* go on with a file */
extern const struct handler api_upload_files_look;  /* how far it is */
extern const struct handler api_upload_files_remove;

extern const struct handler api_audit; /* GET /v1/audit: who changed what */
extern const struct handler api_import; /* POST /v1/models/{name}:import */
extern const struct handler api_jobs_list;
extern const struct handler api_jobs_show;
extern const struct handler api_jobs_cancel;

extern const struct handler api_tokens_list;
extern const struct handler api_tokens_create;
extern const struct handler api_tokens_show;
extern const struct handler api_tokens_revoke;
extern const struct handler api_links; /* a signed address of a model */

/* State of the daemon */
extern const struct handler api_status_health;
extern const struct handler api_status_ready;
extern const struct handler api_status_version;
extern const struct handler api_metrics;
extern const struct handler api_openapi; /* the description of all this */

/* All routes, most specific first. */
/* Counters of requests for these routes and `loops` loops. */
int api_metrics_tally(unsigned loops, struct tally **ret, struct err *e);

extern const struct router_row api_routes[];
extern const size_t api_routes_n;

/* True for a path on which a TensorFlow.js client would decode an error's body as weights: the data
 * plane, except model.json. */
bool api_routes_quiet(struct str path);
