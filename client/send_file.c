/* SPDX-License-Identifier: Apache-2.0 */
/* Resuming is that of draft-ietf-httpbis-resumable-upload-10: what is there is asked for, PATCH
 * goes on from Upload-Offset, and Repr-Digest lets the server refuse a whole that is not this
 * file. */
#include "client/send_file.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_TARGET_MAX 8192
/* The server syncs a file before it answers: that much longer for a slow disk. */
#define STALL_MS        UINT64_C(60000)
#define STALL_RATE      UINT64_C(4096) /* bytes a millisecond */

static int make_target(const struct send_file_upload *u, const struct send_file *file,
	struct buf *out, struct fault *f)
{
	buf_addf(out, "/v1/uploads/%s/files/", u->id);
	str_percent_encode_path(str_of(file->path), out);
	return buf_check(out, file->path, &f->e);
}

/* ---- progress ---- */

static void count_to(struct send_file_upload *u, struct send_file *file, uint64_t bytes)
{
	if (bytes > file->counted)
		progress_add(u->progress, bytes - file->counted);
	else
		progress_take_back(u->progress, file->counted - bytes);
	file->counted = bytes;
}

static void done(struct send_file_upload *u, struct send_file *file)
{
	file->there = true;
	count_to(u, file, file->file->size);
}

/* Without a byte of it sent. */
static void there(struct send_file_upload *u, struct send_file *file)
{
	file->there = true;
	progress_skip(u->progress, file->file->size - file->counted);
	file->counted = file->file->size;
}

/* ---- mounting ---- */

static bool is_absent(const struct api_answer *answer)
{
	return answer->http.status == 404;
}

int send_file_mount(struct send_file_upload *u, struct api *a, struct send_file *file,
	struct fault *f)
{
	CLEANUP_BUF struct buf target = BUF_INIT(PATH_TARGET_MAX);
	char hex[DIGEST_HEX + 1];
	struct api_request mount = {.method = "PUT", .what = file->path};
	int r;

	if (file->there)
		return 0;
	r = make_target(u, file, &target, f);
	buf_addf(&target, "?digest=sha256:%s", digest_hex(&file->file->digest, hex));
	mount.target = buf_str(&target);
	for (unsigned attempt = 1; r == 0; attempt++) {
		CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
		r = api_send(a, &mount, &answer, f);
		if (r == 0) {
			file->had = true;
			there(u, file);
			return 0;
		}
		if (is_absent(&answer) && f->e.code != ERR_UPLOAD_NOT_FOUND) {
			fault_done(f);
			*f = (struct fault){.exit = FAULT_NONE};
			return 0;
		}
		if (crew_may_retry(&answer) && crew_wait(a, &answer, attempt))
			r = 0;
	}
	return r;
}

/* ---- asking ---- */

/* How much of it is there: 0 for nothing. `there` when it is whole and this very file. */
static int ask(struct send_file_upload *u, struct api *a, struct send_file *file,
	const char *target, uint64_t *ret, struct api_answer *answer, struct fault *f)
{
	const struct json *root;
	char hex[DIGEST_HEX + 1];
	int r = api_get(a, target, file->path, answer, f);

	*ret = 0;
	if (r == -(int)ERR_FILE_NOT_FOUND) {
		fault_done(f);
		*f = (struct fault){.exit = FAULT_NONE};
		return 0;
	}
	if (r < 0)
		return r;
	root = api_root(answer);
	if (json_is(json_get(root, "complete"), JSON_TRUE)) {
		if (json_str_is(json_get(root, "sha256"), digest_hex(&file->file->digest, hex)))
			done(u, file);
		return 0;
	}
	if (!json_uint(json_get(root, "bytes"), file->file->size, ret))
		*ret = 0; /* more than there is: another file's */
	return 0;
}

/* ---- sending ---- */

struct transfer {
	struct send_file_upload *upload;
	struct send_file *file;
	uint64_t offset;
};

static void on_progress(void *cls, uint64_t sent, uint64_t received)
{
	struct transfer *t = cls;

	(void)received;
	count_to(t->upload, t->file, t->offset + sent);
}

static int transfer(struct transfer *t, struct api *a, const char *target, int fd,
	struct api_answer *ret, struct fault *f)
{
	const struct lint_file *file = t->file->file;
	char digest[DIGEST_FIELD + 32], field[DIGEST_FIELD], offset[64];
	bool resumed = t->offset > 0;
	struct api_request q = {
		.method = resumed ? "PATCH" : "PUT",
		.target = target,
		.what = t->file->path,
		.type = resumed ? "application/partial-upload" : "application/octet-stream",
	};
	int r;

	(void)snprintf(digest, sizeof(digest), "Repr-Digest: %s",
		digest_field(&file->digest, field));
	(void)snprintf(offset, sizeof(offset), "Upload-Offset: %" PRIu64, t->offset);
	q.headers[0] = digest;
	q.headers[1] = "Upload-Complete: ?1";
	q.headers[2] = resumed ? offset : NULL;
	q.http = (struct http_request){
		.has_file = true,
		.fd = fd,
		.offset = t->offset,
		.body_n = file->size - t->offset,
		.stall_ms = STALL_MS + file->size / STALL_RATE,
		.progress = on_progress,
		.cls = t,
	};
	r = api_send(a, &q, ret, f);
	atomic_fetch_add(&t->upload->sent, ret->http.sent);
	if (r == 0)
		done(t->upload, t->file);
	return r;
}

/* One attempt: where it goes on, and the bytes from there on. */
static int attempt(struct transfer *t, struct api *a, const char *target, int fd, bool fresh,
	struct api_answer *answer, struct fault *f)
{
	int r = 0;

	t->offset = 0;
	if (!fresh)
		r = ask(t->upload, a, t->file, target, &t->offset, answer, f);
	if (r < 0 || t->file->there)
		return r;
	api_answer_done(answer);
	*answer = (struct api_answer){.doc = NULL};
	count_to(t->upload, t->file, t->offset);
	return transfer(t, a, target, fd, answer, f);
}

/* What is there is not the beginning of this file; or it has moved on meanwhile. */
static bool is_other(const struct api_answer *answer, const struct fault *f)
{
	return f->e.code == ERR_BAD_DIGEST || answer->http.status == 409;
}

static int put(struct transfer *t, struct api *a, const char *target, int fd, struct fault *f)
{
	bool fresh = !t->file->begun, restarted = false;
	uint64_t reached = 0;

	for (unsigned failures = 1;; failures++) {
		CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
		int r = attempt(t, a, target, fd, fresh, &answer, f);
		if (r == 0)
			return 0;
		fresh = false;
		if (is_other(&answer, f) && t->offset > 0 && !restarted)
			fresh = restarted = true;
		else if (!crew_may_retry(&answer))
			return r;
		if (t->offset > reached) { /* it gets on */
			reached = t->offset;
			failures = 1;
		}
		if (!crew_wait(a, &answer, failures))
			return r;
		fault_done(f);
		*f = (struct fault){.exit = FAULT_NONE};
	}
}

int send_file_put(struct send_file_upload *u, struct api *a, struct send_file *file,
	struct fault *f)
{
	struct transfer t = {.upload = u, .file = file};
	CLEANUP_BUF struct buf target = BUF_INIT(PATH_TARGET_MAX);
	CLEANUP_FD int fd = -1;
	int r;

	if (file->there) {
		there(u, file);
		return 0;
	}
	r = make_target(u, file, &target, f);
	if (r == 0)
		r = local_file_open(u->local, file->file->id, &fd, f);
	return r < 0 ? r : put(&t, a, buf_str(&target), fd, f);
}
