/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_archive.h"
#include "common/base/clock.h"
#include "common/registry/registry_export.h"
#include "server/api/api.h"
#include "server/api/api_json.h"
#include "server/api/api_represent.h"
#include "server/http/cond.h"
#include "server/http/stream.h"

#include <stdio.h>
#include <string.h>

#define QUERY_KEY     "tfjs-format"
#define QUERY_VALUE   "compressed" /* as TensorFlow Hub has it */
#define TYPE          "application/gzip"
#define RESOLVE_TRIES 3

/* Of one answer. */
struct archive {
	bool is_pinned;
	bool is_private;
	char model[REF_NAME_MAX + 1];
	uint64_t version;
	uint64_t modified_ms;
	char etag[REGISTRY_EXPORT_ETAG];
};

bool api_archive_asked(const struct req *r)
{
	CLEANUP_BUF struct buf value = BUF_INIT(sizeof(QUERY_VALUE));

	return req_query(r, QUERY_KEY, &value) && strcmp(buf_str(&value), QUERY_VALUE) == 0;
}

static void describe(struct archive *a, const struct req *r, const struct ref *ref,
	const struct catalog_version *v)
{
	a->is_private = req_is_private(r);
	a->is_pinned = ref_is_pinned(ref);
	(void)snprintf(a->model, sizeof(a->model), "%s", v->model);
	a->version = v->version;
	/* A name that moves may go back to what was made earlier. */
	a->modified_ms = a->is_pinned ? v->created_ms : 0;
	registry_export_etag(&v->root, a->etag);
}

/* What 200 and 304 have in common. */
static void add_validators(const struct archive *a, struct reply *reply)
{
	reply_header(reply, "ETag", a->etag);
	reply_header(reply, "Cache-Control", api_represent_caching(a->is_pinned, a->is_private));
	if (!a->is_pinned)
		reply_headerf(reply, "Content-Location",
			"/models/%s@%llu?" QUERY_KEY "=" QUERY_VALUE, a->model,
			(unsigned long long)a->version);
}

static void add_headers(const struct archive *a, struct reply *reply)
{
	char date[CLOCK_TEXT];

	add_validators(a, reply);
	if (a->modified_ms)
		reply_header(reply, "Last-Modified", clock_http_date(a->modified_ms, date));
	reply_header(reply, "Accept-Ranges", "none");
	reply_headerf(reply, "Content-Disposition", "attachment; filename=\"%s-%llu.tar.gz\"",
		ref_last_segment(a->model), (unsigned long long)a->version);
}

static enum cond_answer judge(const struct req *r, const struct archive *a)
{
	const struct cond_request cond = {
		.if_match = req_header(r, "If-Match"),
		.if_none_match = req_header(r, "If-None-Match"),
		.if_modified_since = req_header(r, "If-Modified-Since"),
		.if_unmodified_since = req_header(r, "If-Unmodified-Since"),
		.is_get_or_head = true,
	};
	const struct cond_current now = {.etag = a->etag, .modified_ms = a->modified_ms};

	return cond_judge(&cond, &now);
}

static int read_export(void *cls, void *to, size_t n, struct err *e)
{
	return registry_export_read(cls, to, n, e);
}

static void release_export(void *cls)
{
	registry_export_free(cls);
}

/* Its Content-Length has to be that of the 200 (RFC 9110 8.6). */
static int reply_not_modified(struct req *r, const struct archive *a, uint64_t size)
{
	struct reply *reply = reply_streamed(304, NULL, size, 1, NULL, NULL, NULL);

	add_validators(a, reply);
	req_reply(r, reply);
	return 0;
}

static int reply_whole(struct req *r, const struct archive *a, struct registry_export *x,
	struct err *e)
{
	const struct stream_source source = {
		.content_type = TYPE,
		.size = registry_export_size(x),
		.read = read_export,
		.release = release_export,
		.cls = x,
	};
	struct reply *reply;
	int result = stream_reply(r, &source, &reply, e);

	if (result < 0)
		return result;
	add_headers(a, reply);
	req_reply(r, reply);
	return 0;
}

static int answer(struct req *r, const struct ref *ref, struct err *e)
{
	struct registry *registry = ((struct app *)req_app(r))->registry;
	CLEANUP(registry_export_free_p) struct registry_export *x = NULL;
	struct catalog_version *v;
	struct archive a;
	int result = registry_resolve(registry, ref, &v, e);

	if (result < 0)
		return result;
	describe(&a, r, ref, v);
	result = registry_export_new(registry, v, &x, e);
	if (result < 0)
		return result;
	switch (judge(r, &a)) {
	case COND_NOT_MODIFIED:
		return reply_not_modified(r, &a, registry_export_size(x));
	case COND_FAILED:
		return err_set(e, ERR_PRECONDITION_FAILED, "the archive is %s", a.etag);
	case COND_PROCEED:
		break;
	}
	return reply_whole(r, &a, take_ptr(x), e);
}

/* Between the look into the catalog and the opening of the first file a version may be deleted and
 * collected: a name that moves has moved on. */
int api_archive_work(struct req *r, struct err *e)
{
	struct ref ref;
	int result = ref_parse(req_capture(r, 0), &ref, e);

	if (result < 0)
		return api_json_absent(e);
	result = answer(r, &ref, e);
	for (int i = 1; i < RESOLVE_TRIES && result == -(int)ERR_DELETED; i++)
		result = ref_is_pinned(&ref) ? result : answer(r, &ref, e);
	return result;
}
