/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that are looked at while others arrive. */
#include "common/model/filepath.h"
#include "common/registry/staging_internal.h"
#include "common/registry/upload_scan.h"

struct staging_scan {
	struct upload_scan *scan;
};

static int follow(struct registry *r, const char *id, struct upload_scan **ret, struct err *e)
{
	CLEANUP(blob_unref_p) struct blob *json = NULL;
	struct digest digest;
	int x = staging_load(r, id, STR_LIT(FILEPATH_MODEL), &json, e);

	if (x < 0 || blob_size(json) > UPLOAD_SCAN_JSON_MAX)
		return x;
	x = digest_of(blob_data(json), (size_t)blob_size(json), &digest, e);
	return x < 0 ? x : upload_scan_follow(r, json, &digest, ret, e);
}

int staging_scan_begin(struct registry *r, const char *id, struct staging_scan **ret,
	struct err *e)
{
	struct upload_scan *scan = NULL;
	int x = follow(r, id, &scan, e);

	*ret = NULL;
	if (x < 0 || !scan)
		return x;
	*ret = calloc(1, sizeof(**ret));
	if (!*ret) {
		upload_scan_free(scan);
		return err_nomem(e);
	}
	(*ret)->scan = scan;
	return 0;
}

/* Of one that was taken from the store as it is, the key is not known here. */
void staging_scan_file(struct staging_scan *s, const char *path, const struct staging_file *file)
{
	if (s && file->key.gen[0])
		upload_scan_there(s->scan, path, &file->key, file->offset);
}

void staging_scan_end(struct staging_scan *s, struct upload *u)
{
	if (!s)
		return;
	upload_scan_free(u->scan);
	u->scan = take_ptr(s->scan);
	staging_scan_free(s);
}

void staging_scan_free(struct staging_scan *s)
{
	if (!s)
		return;
	upload_scan_free(s->scan);
	free(s);
}
