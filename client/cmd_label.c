/* SPDX-License-Identifier: Apache-2.0 */
/* label ls, label set, label rm */
#include "client/cmd.h"
#include "client/cmd_label.h"
#include "client/listing.h"

#include <inttypes.h>
#include <stdio.h>

#define TARGET_MAX (sizeof("/v1/models//labels/") + REF_NAME_MAX + REF_LABEL_MAX)

/* ---- ls ---- */

static void add_label(struct say_table *t, const struct json *label)
{
	say_table_add(t, say_text(label, "label"));
	listing_add_number(t, label, "version");
	say_table_add(t, say_text(label, "moved"));
}

int cmd_label_ls(struct run *run, struct fault *f)
{
	static const char *const heads[] = {"LABEL", "VERSION", "MOVED"};
	static const struct listing labels = {
		.what = "labels",
		.key = "labels",
		.id = "label",
		.heads = heads,
		.columns = ARRAY_SIZE(heads),
		.right = 1u << 1,
		.some = true,
		.add = add_label,
	};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *name = run_operand(run, 0);
	char target[TARGET_MAX];
	int r = api_check_name(name, f);

	if (r == 0)
		r = api_open(run, &a, f);
	if (r < 0)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/models/%s/labels", name);
	return listing_print(run, a, &labels, target, f);
}

/* ---- set ---- */

struct move {
	const char *name, *label;
	char what[REF_TEXT_MAX + 1];
	uint64_t version;
	char condition[128]; /* a header, or "" */
};

static int resolve(struct api *a, const char *name, const char *version, uint64_t *ret,
	struct fault *f)
{
	CLEANUP_API_VERSION struct api_version v = {.number = 0};
	char text[REF_TEXT_MAX + 64];
	int r;

	(void)snprintf(text, sizeof(text), "%s@%s", name, version ? version : "latest");
	r = api_version(a, text, &v, f);
	if (r == 0)
		*ret = v.number;
	return r;
}

static int moved_meanwhile(const struct move *m, const char *now, struct fault *f)
{
	(void)err_set(&f->e, ERR_PRECONDITION_FAILED, "%s %s", m->what, now);
	f->exit = FAULT_SERVER;
	return fault_next(f, "Nothing was changed; look at `modelctl label ls %s`.", m->name);
}

/* Compare-and-set: the server compares the revision that the label has with the version asked
 * for. */
static int make_condition(struct api *a, const char *expected, struct move *m, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char target[TARGET_MAX], now[64];
	uint64_t version = 0, wanted;
	struct str etag;
	int r;

	if (strcmp(expected, "none") == 0) {
		(void)snprintf(m->condition, sizeof(m->condition), "If-None-Match: *");
		return 0;
	}
	r = resolve(a, m->name, expected, &wanted, f);
	if (r < 0)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/models/%s/labels/%s", m->name, m->label);
	r = api_get(a, target, m->what, &answer, f);
	if (r < 0)
		return r;
	(void)json_uint(json_get(api_root(&answer), "version"), REF_VERSION_MAX, &version);
	(void)snprintf(now, sizeof(now), "names version %" PRIu64 ", not %" PRIu64, version,
		wanted);
	if (version != wanted || !http_answer_header(&answer.http, "ETag", &etag))
		return moved_meanwhile(m, now, f);
	(void)snprintf(m->condition, sizeof(m->condition), "If-Match: " STR_FMT,
		etag.n < 64 ? (int)etag.n : 64, etag.p);
	return 0;
}

int cmd_label_move(struct api *a, const char *name, const char *label, uint64_t version,
	const char *condition, struct api_answer *ret, struct fault *f)
{
	char target[TARGET_MAX], body[64], what[REF_TEXT_MAX + 1];
	struct api_request q = {.method = "PUT", .target = target, .what = what};

	(void)snprintf(target, sizeof(target), "/v1/models/%s/labels/%s", name, label);
	(void)snprintf(what, sizeof(what), "%s@%s", name, label);
	(void)snprintf(body, sizeof(body), "{\"version\":%" PRIu64 "}", version);
	q.headers[0] = condition;
	q.http.body = body;
	q.http.body_n = strlen(body);
	return api_send(a, &q, ret, f);
}

static int move(const struct run *run, struct api *a, const struct move *m, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP_BUF struct buf text = BUF_INIT(1024);
	int r = cmd_label_move(a, m->name, m->label, m->version,
		m->condition[0] ? m->condition : NULL, &answer, f);

	if (r < 0 && answer.http.status == 412)
		return moved_meanwhile(m, "was moved by somebody else", f);
	if (r < 0)
		return r;
	if (run->json)
		return say_out(&answer.http.body, f);
	buf_addf(&text, "%s@%" PRIu64 "\n", m->name, m->version);
	say_note(run, "%s names version %" PRIu64 ".", m->what, m->version);
	return run->quiet ? say_out(&text, f) : 0;
}

int cmd_label_set(struct run *run, struct fault *f)
{
	const char *expected = args_value(run->args, USAGE_IF);
	struct move m = {.name = run_operand(run, 0), .label = run_operand(run, 1)};
	CLEANUP(api_close_p) struct api *a = NULL;
	int r = api_check_name(m.name, f);

	if (r == 0)
		r = api_check_label(m.label, f);
	if (r == 0)
		r = api_open(run, &a, f);
	if (r < 0)
		return r;
	(void)snprintf(m.what, sizeof(m.what), "%s@%s", m.name, m.label);
	r = resolve(a, m.name, run_operand(run, 2), &m.version, f);
	if (r == 0 && expected)
		r = make_condition(a, expected, &m, f);
	return r < 0 ? r : move(run, a, &m, f);
}

/* ---- rm ---- */

int cmd_label_rm(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *name = run_operand(run, 0), *label = run_operand(run, 1);
	char target[TARGET_MAX], what[REF_TEXT_MAX + 1];
	struct api_request q = {.method = "DELETE", .target = target, .what = what};
	int r = api_check_name(name, f);

	if (r == 0)
		r = api_check_label(label, f);
	if (r == 0)
		r = api_open(run, &a, f);
	if (r < 0)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/models/%s/labels/%s", name, label);
	(void)snprintf(what, sizeof(what), "%s@%s", name, label);
	r = api_send(a, &q, &answer, f);
	return r < 0 ? r : say_deleted(run, what, f);
}
