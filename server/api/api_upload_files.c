/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/uploads/{id}/files/{path}: one file of an upload, as `curl -T` sends it.
 *
 * Resuming is that of draft-ietf-httpbis-resumable-upload-10, without interim responses: the URL of
 * the file is the upload resource, HEAD asks for the offset, PATCH goes on, Upload-Complete: ?0
 * says that there is more to come. Offsets count decoded bytes. Digests are those of RFC 9530. */
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "common/registry/registry_limits.h"
#include "common/registry/staging.h"
#include "server/api/api.h"
#include "server/api/api_uploads.h"
#include "server/auth/holders.h"
#include "server/http/problem.h"

#include <stdio.h>

#define ANSWER_MAX   8192
#define PARTIAL_TYPE "application/partial-upload"

struct file_write {
	char id[CATALOG_UPLOAD_ID + 1];
	struct staging_writer *writer; /* NULL for a mount */
	struct digest mounted;
};

static void file_write_free(void *p)
{
	struct file_write *x = p;

	staging_writer_free(x->writer);
	free(x);
}

static void copy_id(const struct req *r, char buf[CATALOG_UPLOAD_ID + 1])
{
	struct str id = req_capture(r, 0);

	(void)snprintf(buf, CATALOG_UPLOAD_ID + 1, STR_FMT,
		id.n == CATALOG_UPLOAD_ID ? (int)id.n : 0, id.p);
}

/* ---- answers ---- */

static void add_offset(struct reply *reply, bool complete, uint64_t offset)
{
	reply_header(reply, "Upload-Complete", complete ? "?1" : "?0");
	reply_headerf(reply, "Upload-Offset", "%llu", (unsigned long long)offset);
}

static int reply_file(struct req *r, int status, const struct staging_file *file, struct err *e)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ANSWER_MAX), path = BUF_INIT(CATALOG_PATH_MAX);
	char hex[DIGEST_HEX + 1];
	struct json_write w;
	int result;

	buf_add(&path, req_capture(r, 1).p, req_capture(r, 1).n);
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "path", buf_str(&path));
	json_write_bool(&w, "complete", file->complete);
	json_write_uint(&w, "bytes", file->offset);
	if (file->complete)
		json_write_str(&w, "sha256", digest_hex(&file->digest, hex));
	json_write_object_end(&w);
	buf_add_char(&json, '\n');
	result = buf_check(&json, "the answer", e);
	if (result < 0)
		return result;
	struct reply *reply = reply_buf(status, "application/json", &json);
	add_offset(reply, file->complete, file->offset);
	reply_header(reply, "Cache-Control", "no-store");
	req_reply(r, reply);
	return 0;
}

/* 409 with the offset that would have been right. */
static void reply_wrong_offset(struct req *r, const struct err *e, uint64_t offset)
{
	struct reply *reply = problem_reply(e, req_id(r), NULL, 0);

	add_offset(reply, false, offset);
	req_reply(r, reply);
}

/* ---- what the head says ---- */

static int read_flag(const struct req *r, const char *name, bool missing, bool *ret, struct err *e)
{
	const char *value = req_header(r, name);
	struct str text = str_trim(str_of(value ? value : ""));

	*ret = value ? str_eq_c(text, "?1") : missing;
	if (!value || *ret || str_eq_c(text, "?0"))
		return 0;
	return err_set(e, ERR_BAD_REQUEST, "%s is ?1 or ?0", name);
}

static int read_offset(const struct req *r, uint64_t *ret, struct err *e)
{
	const char *value = req_header(r, "Upload-Offset");
	struct str text = str_trim(str_of(value ? value : ""));

	if (num_parse(text.p, text.n, INT64_MAX, ret))
		return 0;
	return err_set(e, ERR_BAD_REQUEST,
		"PATCH needs Upload-Offset, the number of bytes that are there already");
}

/* NULL in *ret when there is none. A coded body has other bytes than the file. */
static int read_digest(const struct req *r, const char *name, struct digest *buf,
	const struct digest **ret, struct err *e)
{
	const char *value = req_header(r, name);
	bool present;

	*ret = NULL;
	if (!value)
		return 0;
	if (req_header(r, "Content-Encoding"))
		return err_set(e, ERR_BAD_REQUEST,
			"%s is not checked for a body with Content-Encoding: send one of the two",
			name);
	if (digest_parse_field(str_of(value), buf, &present)) {
		*ret = buf;
		return 0;
	}
	return err_set(e, ERR_BAD_REQUEST,
		present ? "%s has a sha-256 that is no digest" : "%s has no sha-256", name);
}

struct head {
	struct staging_write write;
	struct digest content;
	struct digest whole;
};

static int read_head(struct req *r, struct file_write *x, struct head *h, struct err *e)
{
	const char *length = req_header(r, "Content-Length");
	int result = read_digest(r, "Content-Digest", &h->content, &h->write.content, e);

	if (result == 0)
		result = read_digest(r, "Repr-Digest", &h->whole, &h->write.whole, e);
	if (result < 0)
		return result;
	if (h->write.whole && !h->write.complete)
		return err_set(e, ERR_BAD_REQUEST,
			"Repr-Digest comes with the request that completes the file");
	h->write.id = x->id;
	h->write.path = req_capture(r, 1);
	if (length && !req_header(r, "Content-Encoding"))
		(void)num_parse(length, strlen(length), INT64_MAX, &h->write.length);
	return 0;
}

static int begin(struct req *r, struct file_write *x, const struct staging_write *write,
	struct err *e)
{
	const struct app *app = req_app(r);
	uint64_t offset;
	int result = staging_write_begin(app->registry, write, &x->writer, &offset, e);

	if (result == 0 || offset == UINT64_MAX)
		return result;
	reply_wrong_offset(r, e, offset);
	return 0;
}

static struct file_write *new_state(struct req *r)
{
	struct file_write *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	copy_id(r, x->id);
	req_set_state(r, x, file_write_free);
	return x;
}

/* ?digest=sha256:<hex> */
static int read_mount(struct req *r, struct digest *ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(DIGEST_HEX + sizeof("sha256:"));
	struct str hex = {NULL, 0}, algorithm;

	if (req_query(r, "digest", &text)) {
		hex = (struct str){buf_str(&text), text.len};
		if (str_split(&hex, ':', &algorithm) && str_eq_c(algorithm, "sha256") &&
			digest_parse_hex(hex, ret))
			return 0;
	}
	return err_set(e, ERR_BAD_PARAMETER, "digest is sha256: and 64 lower-case hex digits");
}

static int put_head(struct req *r, struct err *e)
{
	struct head h = {.write = {.append = false}};
	struct file_write *x = new_state(r);
	int result;

	if (!x)
		return err_nomem(e);
	if (req_query_has(r, "digest"))
		return read_mount(r, &x->mounted, e);
	if (req_header(r, "Content-Range"))
		return err_set(e, ERR_BAD_REQUEST,
			"PUT sends a whole file; PATCH with Upload-Offset goes on with one");
	result = read_flag(r, "Upload-Complete", true, &h.write.complete, e);
	if (result == 0)
		result = read_head(r, x, &h, e);
	return result < 0 ? result : begin(r, x, &h.write, e);
}

static int patch_head(struct req *r, struct err *e)
{
	struct head h = {.write = {.append = true}};
	const char *type = req_header(r, "Content-Type");
	struct file_write *x = new_state(r);
	int result;

	if (!x)
		return err_nomem(e);
	if (!type || !str_eq_nocase(str_trim(str_of(type)), PARTIAL_TYPE))
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE,
			"the Content-Type of PATCH has to be " PARTIAL_TYPE " here");
	result = read_flag(r, "Upload-Complete", false, &h.write.complete, e);
	if (result == 0)
		result = read_offset(r, &h.write.offset, e);
	if (result == 0)
		result = read_head(r, x, &h, e);
	return result < 0 ? result : begin(r, x, &h.write, e);
}

/* ---- bytes ---- */

static uint64_t max_body(struct req *r)
{
	const struct app *app = req_app(r);

	return registry_limits_now(app->registry).max_file_bytes;
}

static int take_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	struct file_write *x = req_state(r);

	if (x->writer)
		return staging_write(x->writer, bytes, n, e);
	return err_set(e, ERR_BAD_REQUEST, "with ?digest= the body is empty");
}

static bool may_have(const void *cls, const char *model)
{
	return req_may(cls, SCOPE_READ | SCOPE_PUBLISH, model);
}

static int require_mount(struct req *r, const struct digest *digest, struct err *e)
{
	const struct app *app = req_app(r);
	char hex[DIGEST_HEX + 1];
	bool may = true;
	int result = 0;

	if (!req_may_all(r, SCOPE_READ | SCOPE_PUBLISH))
		result = holders_any(registry_catalog(app->registry), digest, may_have, r, &may, e);
	return result < 0 || may ? result : err_set(e, ERR_FILE_NOT_FOUND,
		"the store has no file with SHA-256 %s", digest_hex(digest, hex));
}

static int end_file(struct req *r, struct file_write *x, struct staging_file *file, struct err *e)
{
	const struct app *app = req_app(r);
	CLEANUP(staging_writer_free_p) struct staging_writer *writer = take_ptr(x->writer);

	if (writer)
		return staging_write_end(writer, file, e);
	int result = require_mount(r, &x->mounted, e);
	if (result < 0)
		return result;
	return staging_mount(app->registry, x->id, req_capture(r, 1), &x->mounted, file, e);
}

static int write_work(struct req *r, struct err *e)
{
	struct staging_file file = {.complete = false};
	int result = end_file(r, req_state(r), &file, e);

	if (result < 0)
		return result;
	return reply_file(r, file.replaced || !str_eq_c(req_method(r), "PUT") ? 200 : 201, &file,
		e);
}

const struct handler api_upload_files_put = {
	.name = "upload-put",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.body = HANDLER_BODY_RAW,
	.max_body = max_body,
	.head = put_head,
	.data = take_data,
	.work = write_work,
};

const struct handler api_upload_files_patch = {
	.name = "upload-patch",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.body = HANDLER_BODY_RAW,
	.max_body = max_body,
	.head = patch_head,
	.data = take_data,
	.work = write_work,
};

/* ---- asking and removing ---- */

static int look_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	char id[CATALOG_UPLOAD_ID + 1];
	struct staging_file file;
	int result;

	copy_id(r, id);
	result = staging_look(app->registry, id, req_capture(r, 1), &file, e);
	return result < 0 ? result : reply_file(r, 200, &file, e);
}

const struct handler api_upload_files_look = {
	.name = "upload-look",
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.work = look_work,
};

static int remove_work(struct req *r, struct err *e)
{
	const struct app *app = req_app(r);
	char id[CATALOG_UPLOAD_ID + 1];
	int result;

	copy_id(r, id);
	result = staging_remove(app->registry, id, req_capture(r, 1), e);
	if (result == 0)
		req_reply(r, reply_empty(204));
	return result;
}

const struct handler api_upload_files_remove = {
	.name = "upload-remove",
	.writes = true,
	.scope = SCOPE_PUBLISH,
	.target = HANDLER_TOLD,
	.model = api_uploads_model,
	.work = remove_work,
};
