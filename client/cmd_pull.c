/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/receive.h"
#include "client/say.h"
#include "common/base/num.h"
#include "common/model/filepath.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>

struct pull {
	struct run *run;
	struct api_version version;
	struct receive_file *files; /* those that are wanted */
	size_t files_n;
	uint64_t bytes;
	char base[REF_TEXT_MAX + 32];
	struct receive receive;
	struct progress progress;
};

static void pull_done(struct pull *p)
{
	free(p->files);
	api_version_done(&p->version);
}

/* ---- which files ---- */

static bool is_included(const struct args *a, const char *path)
{
	bool asked = false;

	for (size_t i = 0; i < a->given_n; i++) {
		if (a->given[i].option != USAGE_INCLUDE)
			continue;
		asked = true;
		if (fnmatch(a->given[i].value, path, 0) == 0)
			return true;
	}
	return !asked;
}

/* What a server says is where files go: no path that leads out of the folder. */
static int read_file(const struct json *v, size_t number, struct receive_file *ret, struct fault *f)
{
	const char *path = json_str(json_get(v, "path")), *hex = json_str(json_get(v, "sha256"));
	int r;

	if (!path || !hex || !digest_parse_hex(str_of(hex), &ret->digest) ||
		!json_uint(json_get(v, "bytes"), NUM_SAFE_INTEGER_MAX, &ret->size)) {
		(void)err_set(&f->e, ERR_BAD_JSON,
			"the server describes a file without a path, "
			"size or digest");
		return fault_as(f, FAULT_SERVER);
	}
	r = filepath_check(str_of(path), &f->e);
	if (r < 0)
		return fault_as(f, FAULT_SERVER);
	ret->path = path;
	ret->number = number;
	return 0;
}

static int list_files(struct pull *p, struct fault *f)
{
	const struct json *files = json_get(api_root(&p->version.answer), "files");
	size_t number = 0;
	int r = 0;

	p->files = calloc(json_count(files) + 1, sizeof(*p->files));
	if (!p->files)
		return err_nomem(&f->e);
	for (const struct json *v = json_first(files); r == 0 && v; v = json_next(v)) {
		struct receive_file *file = &p->files[p->files_n];
		r = read_file(v, number++, file, f);
		if (r < 0 || !is_included(p->run->args, file->path))
			continue;
		p->files_n++;
		if (!num_add(p->bytes, file->size, &p->bytes))
			r = err_set(&f->e, ERR_TOO_LARGE, "the files are too large to count");
	}
	if (r == 0 && p->files_n == 0) {
		(void)fault_usage(f, "%s has no file that --include asks for",
			p->version.ref.name);
		return fault_next(f, "`modelctl show` lists its files.");
	}
	return r;
}

/* ---- getting them ---- */

static int get_one(void *cls, struct api *a, size_t item, struct fault *f)
{
	struct pull *p = cls;

	return receive_file(&p->receive, a, &p->files[item], f);
}

static int get_all(struct pull *p, struct fault *f)
{
	struct crew crew = {
		.run = p->run,
		.items = p->files_n,
		.work = get_one,
		.cls = p,
		.progress = &p->progress,
	};
	int r = crew_threads(p->run, &crew.threads, f);

	if (r == 0)
		r = receive_begin(&p->receive, f);
	if (r < 0)
		return r;
	progress_begin(&p->progress, p->run, "receiving", p->bytes);
	p->receive.progress = &p->progress;
	r = crew_work(&crew, f);
	progress_end(&p->progress);
	if (r < 0 && !f->next[0])
		return fault_next(f, "The same command goes on where it was.");
	return r;
}

static bool is_model(const struct receive_file *file)
{
	return strcmp(file->path, FILEPATH_MODEL) == 0;
}

/* All are whole. model.json comes last: who loads the folder meanwhile finds what it names. */
static int place_all(struct pull *p, struct fault *f)
{
	int r = 0;

	for (int last = 0; last < 2; last++)
		for (size_t i = 0; r == 0 && i < p->files_n; i++)
			if (!p->files[i].there && is_model(&p->files[i]) == (last == 1))
				r = receive_place(&p->receive, &p->files[i], f);
	receive_end(&p->receive);
	return r;
}

/* ---- the result ---- */

static void write_result(const struct pull *p, struct buf *out)
{
	char ref[REF_TEXT_MAX + 1];
	struct json_write w;

	(void)snprintf(ref, sizeof(ref), "%s@%" PRIu64, p->version.ref.name, p->version.number);
	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "ref", ref);
	json_write_str(&w, "dir", p->receive.folder);
	json_write_uint(&w, "bytes", p->bytes);
	json_write_uint(&w, "received", atomic_load(&p->receive.received));
	json_write_array(&w, "files");
	for (size_t i = 0; i < p->files_n; i++)
		json_write_str(&w, NULL, p->files[i].path);
	json_write_array_end(&w);
	json_write_object_end(&w);
}

static int print(const struct pull *p, struct fault *f)
{
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	char size[NUM_SIZE_TEXT];

	if (p->run->json) {
		write_result(p, &out);
		return say_json(&out, f);
	}
	say_note(p->run, "%s@%" PRIu64 ": %zu file%s, %s received.", p->version.ref.name,
		p->version.number, p->files_n, p->files_n == 1 ? "" : "s",
		num_format_size(atomic_load(&p->receive.received), size));
	buf_addf(&out, "%s\n", p->receive.folder);
	return say_out(&out, f);
}

int cmd_pull(struct run *run, struct fault *f)
{
	CLEANUP(pull_done) struct pull p = {.run = run};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *folder = args_value(run->args, USAGE_OUTPUT);
	int r = api_open(run, &a, f);

	if (r == 0)
		r = api_version(a, run_operand(run, 0), &p.version, f);
	if (r == 0)
		r = list_files(&p, f);
	if (r < 0)
		return r;
	(void)snprintf(p.base, sizeof(p.base), "/models/%s@%" PRIu64 "/", p.version.ref.name,
		p.version.number);
	p.receive.base = p.base;
	p.receive.folder = folder ? folder : ref_last_segment(p.version.ref.name);
	if (!*p.receive.folder)
		return fault_usage(f, "--output is a folder, not \"\"");
	r = get_all(&p, f);
	if (r == 0)
		r = place_all(&p, f);
	return r < 0 ? r : print(&p, f);
}
