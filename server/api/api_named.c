/* SPDX-License-Identifier: Apache-2.0 */
/* GET /models/{ref} and /models/{name}: a version in words, as an archive, or a file that lies
 * beside its model.json. */
#include "server/api/api.h"
#include "server/api/api_archive.h"
#include "server/api/api_describe.h"
#include "server/api/api_files.h"

static int version_work(struct req *r, struct err *e)
{
	return api_archive_asked(r) ? api_archive_work(r, e) : api_describe_work(r, e);
}

const struct handler api_named_version = {
	.name = "describe",
	.scope = SCOPE_READ,
	.target = HANDLER_REF,
	.work = version_work,
};

/* The longest name is tried first; no name has more segments than REF_SEGMENTS_MAX. */
static int companion(struct req *r, struct err *e)
{
	CLEANUP_FREE char *name = str_dup(req_capture(r, 0));
	size_t slashes[REF_SEGMENTS_MAX], n = 0;
	int result = -(int)ERR_MODEL_NOT_FOUND;

	if (!name)
		return err_nomem(e);
	for (size_t i = 0; name[i] && n < REF_SEGMENTS_MAX; i++)
		if (name[i] == '/')
			slashes[n++] = i;
	while (n > 0 && result == -(int)ERR_MODEL_NOT_FOUND) {
		size_t cut = slashes[--n];
		struct err ignored;
		if (ref_check_name((struct str){name, cut}, &ignored) < 0)
			continue;
		name[cut] = '\0';
		if (req_may(r, SCOPE_READ, name))
			result = api_files_newest(r, name, name + cut + 1, e);
		name[cut] = '/';
	}
	return result;
}

/* What is no name is told so by who parses it. */
static int whole_name(struct req *r, struct err *e)
{
	CLEANUP_FREE char *name = str_dup(req_capture(r, 0));
	struct err ignored;
	int result = name ? 0 : err_nomem(e);

	if (result == 0 && ref_check_name(str_of(name), &ignored) == 0)
		result = req_require(r, SCOPE_READ, name, e);
	return result < 0 ? result : version_work(r, e);
}

static bool is_refusal(int result)
{
	int status = result < 0 ? err_status((enum err_code)-result) : 200;

	return status == 401 || status == 403;
}

/* GET /models/{name}: the newest version. A page that loads /models/{name}/model.json asks
 * for what lies beside it (Teachable Machine's metadata.json, labels.txt) in the same way: when no
 * model has the whole name, it is a file of the newest version of a model with a shorter one. */
static int named_work(struct req *r, struct err *e)
{
	struct err other;
	int result = whole_name(r, e);

	if (result != -(int)ERR_MODEL_NOT_FOUND && !is_refusal(result))
		return result;
	int found = companion(r, &other);
	if (found == -(int)ERR_MODEL_NOT_FOUND)
		return result;
	*e = other;
	return found;
}

const struct handler api_named = {
	.name = "named",
	.scope = SCOPE_READ,
	.target = HANDLER_FOUND,
	.work = named_work,
};
