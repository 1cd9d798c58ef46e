/* SPDX-License-Identifier: Apache-2.0 */
#include "client/send.h"
#include "client/resume.h"
#include "client/say.h"
#include "client/send_file.h"

#include <stdio.h>

#define PUBLISH_STALL_MS UINT64_C(3600000) /* checking and syncing tens of gigabytes */

struct send {
	struct send_options o;
	int lock; /* -1: the upload is neither looked for nor remembered */
	struct send_file_upload upload;
	struct send_file *files; /* by place in local_files() */
	size_t files_n;
	struct progress progress;
	struct send_tally tally;
};

void send_close(struct send *s)
{
	if (!s)
		return;
	close_fd_p(&s->lock);
	free(s->files);
	free(s);
}

const struct send_tally *send_tally(const struct send *s)
{
	return &s->tally;
}

/* ---- the upload ---- */

static int create(struct send *s, struct api *a, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char body[REF_NAME_MAX + 32];
	struct api_request q = {
		.method = "POST", .target = "/v1/uploads", .what = s->o.model, .http.body = body};
	const char *id;
	int r;

	(void)snprintf(body, sizeof(body), "{\"model\":\"%s\"}", s->o.model);
	q.http.body_n = strlen(body);
	r = api_send(a, &q, &answer, f);
	if (r < 0)
		return r;
	id = json_str(json_get(api_root(&answer), "id"));
	if (!id || strlen(id) > RESUME_ID_MAX) {
		(void)err_set(&f->e, ERR_BAD_JSON, "the server opens an upload without an id");
		return fault_as(f, FAULT_SERVER);
	}
	(void)snprintf(s->upload.id, sizeof(s->upload.id), "%s", id);
	if (s->lock >= 0)
		resume_keep(s->o.run, s->o.model, s->o.root, id);
	return 0;
}

static struct send_file *find_file(struct send *s, const char *path)
{
	for (size_t i = 0; path && i < s->files_n; i++)
		if (strcmp(s->files[i].path, path) == 0)
			return &s->files[i];
	return NULL;
}

/* What an upload that is found holds already. Others' files in it are none of this push. */
static bool take_over(struct send *s, const struct json *upload)
{
	if (!json_str_is(json_get(upload, "state"), "open") ||
		!json_str_is(json_get(upload, "model"), s->o.model))
		return false;
	for (const struct json *x = json_first(json_get(upload, "files")); x; x = json_next(x)) {
		struct send_file *file = find_file(s, json_str(json_get(x, "path")));
		char hex[DIGEST_HEX + 1];
		if (!file)
			return false;
		file->there = file->had = json_str_is(json_get(x, "sha256"),
			digest_hex(&file->file->digest, hex));
	}
	for (const struct json *x = json_first(json_get(upload, "incomplete")); x;
		x = json_next(x)) {
		struct send_file *file = find_file(s, json_str(json_get(x, "path")));
		if (!file)
			return false;
		file->begun = true;
	}
	return true;
}

/* False, and nothing changed, when there is none any more. */
static bool find(struct send *s, struct api *a)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(fault_done) struct fault ignored = {.exit = FAULT_NONE};
	char target[RESUME_ID_MAX + 32];

	resume_find(s->o.run, s->o.model, s->o.root, s->upload.id);
	if (!s->upload.id[0])
		return false;
	(void)snprintf(target, sizeof(target), "/v1/uploads/%s", s->upload.id);
	if (api_get(a, target, "the upload", &answer, &ignored) == 0 &&
		take_over(s, api_root(&answer)))
		return true;
	for (size_t i = 0; i < s->files_n; i++)
		s->files[i].there = s->files[i].had = s->files[i].begun = false;
	return false;
}

static int make_files(struct send *s, struct fault *f)
{
	const struct lint_files *l = local_files(s->o.local);

	s->files = calloc(l->n + 1, sizeof(*s->files));
	if (!s->files)
		return err_nomem(&f->e);
	s->files_n = l->n;
	for (size_t i = 0; i < l->n; i++) {
		s->files[i].file = &l->files[i];
		s->files[i].path = lint_files_called(l->files[i].part_name, l->files[i].filename);
	}
	return 0;
}

int send_open(const struct send_options *o, struct api *a, struct send **ret, struct fault *f)
{
	CLEANUP(send_close_p) struct send *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(&f->e);
	s->o = *o;
	s->lock = o->passing ? -1 : resume_lock(o->run, o->model, o->root);
	s->upload.local = o->local;
	s->upload.progress = &s->progress;
	r = make_files(s, f);
	if (r == 0 && s->lock >= 0 && find(s, a))
		say_note(o->run, "Going on with the upload that was interrupted.");
	else if (r == 0)
		r = create(s, a, f);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

int send_drop(struct send *s, struct api *a, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	char target[RESUME_ID_MAX + 32];
	const struct api_request q = {.method = "DELETE", .target = target, .what = "the upload"};

	(void)snprintf(target, sizeof(target), "/v1/uploads/%s", s->upload.id);
	return api_send(a, &q, &answer, f);
}

/* ---- files ---- */

static int ask_one(void *cls, struct api *a, size_t item, struct fault *f)
{
	struct send *s = cls;

	return send_file_mount(&s->upload, a, &s->files[item], f);
}

static int send_one(void *cls, struct api *a, size_t item, struct fault *f)
{
	struct send *s = cls;
	int r = s->upload.again ? 0 : send_file_mount(&s->upload, a, &s->files[item], f);

	return r < 0 ? r : send_file_put(&s->upload, a, &s->files[item], f);
}

static int run_crew(struct send *s, int (*work)(void *, struct api *, size_t, struct fault *),
	struct progress *progress, struct fault *f)
{
	struct crew crew = {
		.run = s->o.run,
		.threads = s->o.threads,
		.items = s->files_n,
		.work = work,
		.cls = s,
		.progress = progress,
	};

	return crew_work(&crew, f);
}

static void add_up(struct send *s)
{
	s->tally = (struct send_tally){.sent = atomic_load(&s->upload.sent)};
	for (size_t i = 0; i < s->files_n; i++) {
		if (!s->files[i].had)
			continue;
		s->tally.there += s->files[i].file->size;
		s->tally.files_there++;
	}
}

int send_ask(struct send *s, struct fault *f)
{
	int r = run_crew(s, ask_one, NULL, f);

	add_up(s);
	return r;
}

int send_files(struct send *s, struct fault *f)
{
	int r;

	progress_begin(&s->progress, s->o.run, "sending", local_bytes(s->o.local));
	r = run_crew(s, send_one, &s->progress, f);
	progress_end(&s->progress);
	add_up(s);
	if (r < 0)
		return f->next[0] ? r : fault_next(f, "The same command goes on where it was.");
	return 0;
}

/* ---- publishing ---- */

static int publish_once(struct send *s, struct api *a, const char *label, bool dry_run,
	struct api_answer *ret, struct fault *f)
{
	char target[RESUME_ID_MAX + 64], body[REF_LABEL_MAX + 32] = "{}";
	struct api_request q = {
		.method = "POST",
		.target = target,
		.what = s->o.model,
		.http = {.body = body, .stall_ms = PUBLISH_STALL_MS},
	};

	(void)snprintf(target, sizeof(target), "/v1/uploads/%s:publish%s", s->upload.id,
		dry_run ? "?dry_run=true" : "");
	if (label)
		(void)snprintf(body, sizeof(body), "{\"label\":\"%s\"}", label);
	q.http.body_n = strlen(body);
	return api_send(a, &q, ret, f);
}

/* An answer that was lost is asked for again: the server gives the same one. */
static int publish(struct send *s, struct api *a, const char *label, bool dry_run,
	struct api_answer *ret, struct fault *f)
{
	for (unsigned attempt = 1;; attempt++) {
		int r = publish_once(s, a, label, dry_run, ret, f);
		if (r == 0 || !crew_may_retry(ret) || !crew_wait(a, ret, attempt))
			return r;
		api_answer_done(ret);
	}
}

/* What was mounted went away before it was published: send everything then. */
static int send_again(struct send *s, struct fault *f)
{
	for (size_t i = 0; i < s->files_n; i++)
		s->files[i].there = s->files[i].had = s->files[i].begun = false;
	s->upload.again = true;
	return send_files(s, f);
}

int send_publish(struct send *s, struct api *a, const char *label, bool dry_run,
	struct api_answer *ret, struct fault *f)
{
	int r = publish(s, a, label, dry_run, ret, f);

	if (r == -(int)ERR_BLOB_GONE && !s->upload.again) {
		api_answer_done(ret);
		r = send_again(s, f);
		if (r == 0)
			r = publish(s, a, label, dry_run, ret, f);
	}
	if (r == 0 && !dry_run && s->lock >= 0)
		resume_forget(s->o.run, s->o.model, s->o.root);
	return r;
}
