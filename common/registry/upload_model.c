/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_model.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/registry/upload_paths.h"

#include <malloc.h>
#include <string.h>

#define NOT_FOUND SIZE_MAX
#define BEGINNING 512 /* bytes of a file; of white space alone they tell nothing */
#define BOM       "\xEF\xBB\xBF"

void upload_model_done(struct upload_model *m)
{
	artifact_free(m->artifact);
	modeljson_free(m->json);
	blob_unref(m->bytes);
	free(m->old_name);
	if (m->large) {
		(void)malloc_trim(0); /* or each thread keeps as much for the next time */
		pthread_mutex_unlock(m->large);
	}
	*m = (struct upload_model){0};
}

/* ---- by name ---- */

static const char *filename_of(const struct upload_file *file)
{
	return file->filename;
}

static const char *part_name_of(const struct upload_file *file)
{
	return file->part_name;
}

static int find_called(const struct upload *u, const char *(*name_of)(const struct upload_file *),
	size_t *ret, struct err *e)
{
	*ret = NOT_FOUND;
	for (size_t i = 0; i < u->files_n; i++) {
		if (!upload_paths_is(name_of(&u->files[i]), FILEPATH_MODEL))
			continue;
		if (*ret != NOT_FOUND)
			return upload_paths_twice(u, FILEPATH_MODEL, e);
		*ret = i;
	}
	return 0;
}

/* ---- by content ---- */

static int too_large(const struct upload *u, const struct upload_file *file, struct err *e)
{
	char max[NUM_SIZE_TEXT];

	return err_set(e, ERR_TOO_LARGE, "%s is larger than %s, the limit for a model.json",
		upload_paths_called(file),
		num_format_size(u->registry->limits.max_model_json_bytes, max));
}

static bool is_too_large(const struct upload *u, const struct upload_file *file)
{
	return file->size > u->registry->limits.max_model_json_bytes;
}

/* Weights, most of the time: not worth loading then. */
static int begins_as_json(const struct upload *u, const struct upload_file *file, bool *ret,
	struct err *e)
{
	char start[BEGINNING];
	size_t n = file->size < sizeof(start) ? (size_t)file->size : sizeof(start);
	int r = upload_file_read_at(u, file, 0, start, n, e);
	struct str s = {start, n};

	if (r < 0)
		return r;
	if (str_starts(s, BOM)) {
		s.p += strlen(BOM);
		s.n -= strlen(BOM);
	}
	while (s.n > 0 && strchr(" \t\r\n", *s.p)) {
		s.p++;
		s.n--;
	}
	*ret = s.n == 0 || *s.p == '{';
	return 0;
}

static int recognise(const struct upload *u, const struct upload_file *file, bool *ret,
	struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *bytes = NULL;
	bool may_be;
	int r;

	*ret = false;
	if (file->size == 0 || is_too_large(u, file))
		return 0;
	r = begins_as_json(u, file, &may_be, e);
	if (r < 0 || !may_be)
		return r;
	r = upload_file_load(u, file, &bytes, e);
	if (r == 0)
		*ret = modeljson_recognise((const char *)blob_data(bytes),
			(size_t)blob_size(bytes));
	return r;
}

static int nothing_recognised(const struct upload *u, struct findings *f, struct err *e)
{
	for (size_t i = 0; i < u->files_n; i++)
		if (is_too_large(u, &u->files[i]) &&
			str_ends(str_of(upload_paths_called(&u->files[i])), ".json"))
			return too_large(u, &u->files[i], e);
	findings_add(f, RULE_JSON_MISSING, NULL, NULL,
		"none of the %zu files is called model.json, or is JSON with modelTopology or "
		"weightsManifest",
		u->files_n);
	return findings_to_err(f, e);
}

static int find_recognised(const struct upload *u, size_t *ret, struct findings *f, struct err *e)
{
	*ret = NOT_FOUND;
	for (size_t i = 0; i < u->files_n; i++) {
		bool is_model;
		int r = recognise(u, &u->files[i], &is_model, e);
		if (r < 0)
			return r;
		if (is_model && *ret != NOT_FOUND) {
			findings_add(f, RULE_JSON_MISSING, NULL, NULL,
				"%s and %s could both be the model, none is called model.json",
				upload_paths_called(&u->files[*ret]),
				upload_paths_called(&u->files[i]));
			return findings_to_err(f, e);
		}
		if (is_model)
			*ret = i;
	}
	return *ret == NOT_FOUND ? nothing_recognised(u, f, e) : 0;
}

/* The name that it loses stays usable as a path, if it is fit for one. */
static int keep_old_name(const struct upload_file *file, struct upload_model *m, struct err *e)
{
	const char *name = upload_paths_called(file);
	struct err unfit;

	if (filepath_check(str_of(name), &unfit) < 0)
		return 0;
	m->old_name = strdup(name);
	return m->old_name ? 0 : err_nomem(e);
}

static int find(const struct upload *u, struct upload_model *m, struct findings *f, struct err *e)
{
	int r = find_called(u, filename_of, &m->file, e);

	if (r == 0 && m->file == NOT_FOUND)
		r = find_called(u, part_name_of, &m->file, e);
	if (r < 0 || m->file != NOT_FOUND)
		return r;
	r = find_recognised(u, &m->file, f, e);
	return r < 0 ? r : keep_old_name(&u->files[m->file], m, e);
}

/* ---- reading ---- */

static int parse(const struct upload *u, struct upload_model *m, struct findings *f, struct err *e)
{
	const struct upload_file *file = &u->files[m->file];
	const char *text;
	int r;

	if (is_too_large(u, file))
		return too_large(u, file, e);
	if (file->size > UPLOAD_MODEL_LARGE) {
		m->large = &u->registry->large_json;
		pthread_mutex_lock(m->large);
	}
	r = upload_file_load(u, file, &m->bytes, e);
	if (r < 0)
		return r;
	text = file->size > 0 ? (const char *)blob_data(m->bytes) : "";
	r = modeljson_parse(text, (size_t)file->size, &m->json, f, e);
	if (r == 0 && m->json)
		r = artifact_read(m->json, &m->artifact, f, e);
	if (r == 0 && m->json)
		r = modeljson_check_read(m->json, text, (size_t)file->size, f, e);
	if (r < 0)
		return r;
	/* What else is wrong is told together with what the files show. */
	return m->json ? 0 : findings_to_err(f, e);
}

int upload_model_read(struct upload *u, struct upload_model *ret, struct findings *f, struct err *e)
{
	CLEANUP(upload_model_done) struct upload_model m = {0};
	int r = find(u, &m, f, e);

	if (r == 0)
		r = parse(u, &m, f, e);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct upload_model){0};
	return 0;
}
