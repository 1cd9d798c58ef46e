/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lint/lint_model.h"
#include "common/base/num.h"
#include "common/model/filepath.h"

#include <string.h>

#define NOT_FOUND SIZE_MAX
#define BEGINNING 512 /* bytes of a file; of white space alone they tell nothing */
#define BOM       "\xEF\xBB\xBF"

/* ---- by name ---- */

static const char *filename_of(const struct lint_file *file)
{
	return file->filename;
}

static const char *part_name_of(const struct lint_file *file)
{
	return file->part_name;
}

static int find_called(const struct lint_files *l, const char *(*name_of)(const struct lint_file *),
	size_t *ret, struct err *e)
{
	*ret = NOT_FOUND;
	for (size_t i = 0; i < l->n; i++) {
		if (!lint_files_is(name_of(&l->files[i]), FILEPATH_MODEL))
			continue;
		if (*ret != NOT_FOUND)
			return lint_files_twice(l, FILEPATH_MODEL, e);
		*ret = i;
	}
	return 0;
}

/* ---- by content ---- */

static const char *called(const struct lint_files *l, size_t file)
{
	return lint_files_called(l->files[file].part_name, l->files[file].filename);
}

static bool is_too_large(const struct lint_files *l, size_t file)
{
	return l->files[file].size > l->max_model_json;
}

int lint_model_check_size(const struct lint_files *l, size_t file, struct err *e)
{
	char max[NUM_SIZE_TEXT];

	if (!is_too_large(l, file))
		return 0;
	return err_set(e, ERR_TOO_LARGE, "%s is larger than %s, the limit for a model.json",
		called(l, file), num_format_size(l->max_model_json, max));
}

/* Weights, most of the time: not worth loading then. */
static int begins_as_json(const struct lint_files *l, size_t file, bool *ret, struct err *e)
{
	char start[BEGINNING];
	uint64_t size = l->files[file].size;
	size_t n = size < sizeof(start) ? (size_t)size : sizeof(start);
	int r = l->read_at(l->cls, l->files[file].id, 0, start, n, e);
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

static int recognise(const struct lint_files *l, size_t file, bool *ret, struct err *e)
{
	struct lint_bytes bytes = {.owner = NULL};
	bool may_be;
	int r;

	*ret = false;
	if (l->files[file].size == 0 || is_too_large(l, file))
		return 0;
	r = begins_as_json(l, file, &may_be, e);
	if (r < 0 || !may_be)
		return r;
	r = l->hold(l->cls, l->files[file].id, &bytes, e);
	if (r == 0)
		*ret = modeljson_recognise(bytes.data, bytes.n);
	l->drop(&bytes);
	return r;
}

static int nothing_recognised(const struct lint_files *l, struct findings *f, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_too_large(l, i) && str_ends(str_of(called(l, i)), ".json"))
			return lint_model_check_size(l, i, e);
	findings_add(f, RULE_JSON_MISSING, NULL, NULL,
		"none of the %zu files is called model.json, or is JSON with modelTopology or "
		"weightsManifest",
		l->n);
	return findings_to_err(f, e);
}

static int find_recognised(const struct lint_files *l, size_t *ret, struct findings *f,
	struct err *e)
{
	*ret = NOT_FOUND;
	for (size_t i = 0; i < l->n; i++) {
		bool is_model;
		int r = recognise(l, i, &is_model, e);
		if (r < 0)
			return r;
		if (is_model && *ret != NOT_FOUND) {
			findings_add(f, RULE_JSON_MISSING, NULL, NULL,
				"%s and %s could both be the model, none is called model.json",
				called(l, *ret), called(l, i));
			return findings_to_err(f, e);
		}
		if (is_model)
			*ret = i;
	}
	return *ret == NOT_FOUND ? nothing_recognised(l, f, e) : 0;
}

/* The name that it loses stays usable as a path, if it is fit for one. */
static const char *old_name(const struct lint_files *l, size_t file)
{
	const char *name = called(l, file);
	struct err unfit;

	return filepath_check(str_of(name), &unfit) < 0 ? NULL : name;
}

int lint_model_find(const struct lint_files *l, size_t *ret, const char **ret_old_name,
	struct findings *f, struct err *e)
{
	int r = find_called(l, filename_of, ret, e);

	*ret_old_name = NULL;
	if (r == 0 && *ret == NOT_FOUND)
		r = find_called(l, part_name_of, ret, e);
	if (r < 0 || *ret != NOT_FOUND)
		return r;
	r = find_recognised(l, ret, f, e);
	if (r == 0)
		*ret_old_name = old_name(l, *ret);
	return r;
}

int lint_model_parse(const char *text, size_t n, struct modeljson **ret,
	struct artifact **ret_artifact, struct findings *f, struct err *e)
{
	int r = modeljson_parse(text, n, ret, f, e);

	if (r == 0 && *ret)
		r = artifact_read(*ret, ret_artifact, f, e);
	if (r == 0 && *ret)
		r = modeljson_check_read(*ret, text, n, f, e);
	if (r < 0)
		return r;
	return *ret ? 0 : findings_to_err(f, e);
}
