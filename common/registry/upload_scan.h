/* SPDX-License-Identifier: Apache-2.0 */
/* The one pass over an upload's weights (weightscan.h), where a processor is free beside the
 * arrival of the bytes. Inside the registry only.
 *
 * When model.json has arrived before the shards, which is the order in which model.save() sends
 * them, a thread of the upload follows what is written and scans it, so that hardly anything is
 * left to do when the last byte is there. There are at most as many such threads as processors.
 * Without one, and for small uploads, the pass is made when its result is asked for.
 *
 * Of files that become blobs one by one, each is scanned when it is one, in the order of the
 * manifest.
 *
 * The digests of weights of more than UPLOAD_SCAN_HASHED bytes in all are left out, but where they
 * are those of files: they are computed when the version is there (registry_tensors.h). */
#pragma once

#include "common/model/weightscan.h"
#include "common/registry/upload_internal.h"

#define UPLOAD_SCAN_HASHED (1u << 20)

/* More of the file that is arriving was written, or it ended: after each upload_file_write() and
 * upload_file_end(). Does not wait; may start the thread. */
void upload_scan_progress(struct upload *u);

/* A scan with a thread, for an upload that will have these bytes as its model.json; *ret is NULL
 * when no thread can be had. The caller makes it `scan` of the upload, or frees it. */
int upload_scan_follow(struct registry *registry, struct blob *json, const struct digest *digest,
	struct upload_scan **ret, struct err *e);
/* The file of this path is this blob, of a scan like that. Any thread; does not wait. */
void upload_scan_there(struct upload_scan *s, const char *path, const struct blob_key *key,
	uint64_t size);

/* All files have arrived and paths are decided, and every shard of `m` is there: the finished scan,
 * which the upload keeps; `m` must live as long as it is used. Errors: reading, memory. */
int upload_scan_finish(struct upload *u, const struct manifest *m, const struct weightscan **ret,
	struct err *e);

/* Ends the thread: waits for one step of its work, at most the parsing of a model.json of
 * UPLOAD_SCAN_JSON_MAX bytes. Accepts NULL. */
#define UPLOAD_SCAN_JSON_MAX (4u << 20)
void upload_scan_free(struct upload_scan *s);
