/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/filepath.h"

/* What a URL parser or an archive takes for something else than a character of a name. */
#define FORBIDDEN "\\?#%:"

struct str filepath_strip(struct str path)
{
	while (str_starts(path, "./")) {
		path.p += 2;
		path.n -= 2;
	}
	return path;
}

static bool has_control(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		uint8_t c = (uint8_t)path.p[i];
		if (c < ' ' || c == 0x7F)
			return true;
		/* U+0080 to U+009F */
		if (c == 0xC2 && i + 1 < path.n && (uint8_t)path.p[i + 1] < 0xA0)
			return true;
	}
	return false;
}

static int check_characters(struct str path, struct err *e)
{
	if (!str_is_utf8(path))
		return err_set(e, ERR_BAD_PATH, "the path is not UTF-8");
	if (has_control(path))
		return err_set(e, ERR_BAD_PATH, "the path has a control character");
	for (size_t i = 0; i < path.n; i++)
		if (strchr(FORBIDDEN, path.p[i]))
			return err_set(e, ERR_BAD_PATH, "the path '" STR_FMT "' has a '%c'",
				STR_ARG(path), path.p[i]);
	return 0;
}

static int check_part(struct str path, struct str part, struct err *e)
{
	if (part.n == 0)
		return err_set(e, ERR_BAD_PATH, "the path '" STR_FMT "' has an empty part",
			STR_ARG(path));
	if (str_eq_c(part, ".") || str_eq_c(part, ".."))
		return err_set(e, ERR_BAD_PATH, "the path '" STR_FMT "' has a part '" STR_FMT "'",
			STR_ARG(path), STR_ARG(part));
	if (*part.p == ' ' || *part.p == '-')
		return err_set(e, ERR_BAD_PATH,
			"the path '" STR_FMT "' has a part that begins with '%c'",
			STR_ARG(path), *part.p);
	if (part.n > FILEPATH_PART_MAX)
		return err_set(e, ERR_BAD_PATH, "the path has a part of more than %d bytes",
			FILEPATH_PART_MAX);
	return 0;
}

int filepath_check(struct str path, struct err *e)
{
	struct str rest = path, part;
	int r;

	if (path.n == 0)
		return err_set(e, ERR_BAD_PATH, "the path is empty");
	if (path.n > FILEPATH_MAX)
		return err_set(e, ERR_BAD_PATH, "the path has more than %d bytes", FILEPATH_MAX);
	r = check_characters(path, e);
	if (r < 0)
		return r;
	if (*path.p == '/')
		return err_set(e, ERR_BAD_PATH, "the path '" STR_FMT "' is not relative",
			STR_ARG(path));
	if (path.p[path.n - 1] == ' ')
		return err_set(e, ERR_BAD_PATH, "the path '" STR_FMT "' ends with a space",
			STR_ARG(path));
	while (str_split(&rest, '/', &part)) {
		r = check_part(path, part, e);
		if (r < 0)
			return r;
	}
	return 0;
}

bool filepath_same_folded(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_to_lower(a.p[i]) != str_to_lower(b.p[i]))
			return false;
	return true;
}

const char *filepath_media_type(struct str path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{".json", "application/json"},
		{".txt", "text/plain"},
		{".md", "text/plain"},
		{".csv", "text/csv"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t n = strlen(types[i].suffix);
		if (path.n >= n &&
			str_eq_nocase((struct str){path.p + path.n - n, n}, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}
