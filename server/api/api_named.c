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
		result = api_files_newest(r, name, name + cut + 1, e);
		name[cut] = '/';
	}
	return result;
}

/* GET /models/{name}: the newest version. A page that loads /models/{name}/model.json asks
 * for what lies beside it (Teachable Machine's metadata.json, labels.txt) in the same way: when no
 * model has the whole name, it is a file of the newest version of a model with a shorter one. */
static int named_work(struct req *r, struct err *e)
{
	struct err other;
	int result = version_work(r, e);

	if (result != -(int)ERR_MODEL_NOT_FOUND)
		return result;
	int found = companion(r, &other);
	if (found == -(int)ERR_MODEL_NOT_FOUND)
		return result;
	*e = other;
	return found;
}

const struct handler api_named = {
	.name = "named",
	.work = named_work,
};
