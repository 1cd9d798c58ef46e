/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_expect.h"
#include "common/model/filepath.h"
#include "common/registry/upload_paths.h"
#include "common/registry/upload_store.h"

#include <string.h>

void upload_expect_root(struct upload *u, const struct digest *root)
{
	u->has_expected_root = true;
	u->expected_root = *root;
}

int upload_expect_file(struct upload *u, struct str path, const struct digest *digest,
	struct err *e)
{
	struct str stripped = filepath_strip(path);
	struct upload_expected *x;
	int r = filepath_check(stripped, e);

	if (r < 0)
		return r;
	x = calloc(1, sizeof(*x) + stripped.n + 1);
	if (!x)
		return err_nomem(e);
	memcpy(x->path, stripped.p, stripped.n);
	x->digest = *digest;
	x->next = u->expected;
	u->expected = x;
	return 0;
}

void upload_expect_free(struct upload *u)
{
	while (u->expected) {
		struct upload_expected *x = u->expected;
		u->expected = x->next;
		free(x);
	}
}

static const struct upload_file *find(const struct upload *u, const char *path)
{
	const struct upload_file *f = upload_paths_find(u, path);

	for (size_t i = 0; !f && i < u->files_n; i++)
		if (upload_paths_is(upload_paths_called(&u->files[i]), path))
			f = &u->files[i];
	return f;
}

static int judge(const struct upload *u, const struct upload_expected *x, struct err *e)
{
	const struct upload_file *f = find(u, x->path);
	char want[DIGEST_HEX + 1], have[DIGEST_HEX + 1];

	if (f && digest_eq(&f->digest, &x->digest))
		return 0;
	(void)digest_hex(&x->digest, want);
	if (!f)
		return err_set(e, ERR_EXPECTED_OTHER,
			"there is no file %.200s, which was expected with SHA-256 %s", x->path,
			want);
	return err_set(e, ERR_EXPECTED_OTHER, "%.200s has SHA-256 %s; expected was %s", x->path,
		digest_hex(&f->digest, have), want);
}

int upload_expect_judge_files(const struct upload *u, struct err *e)
{
	int r = 0;

	for (const struct upload_expected *x = u->expected; r == 0 && x; x = x->next)
		r = judge(u, x, e);
	return r;
}

int upload_expect_judge_root(const struct upload *u, const struct digest *original,
	struct err *e)
{
	char want[DIGEST_HEX + 1], have[DIGEST_HEX + 1];
	struct digest root;
	int r;

	if (!u->has_expected_root)
		return 0;
	r = upload_store_root(u, &root, e);
	if (r < 0 || digest_eq(&root, &u->expected_root) ||
		(original && digest_eq(original, &u->expected_root)))
		return r;
	return err_set(e, ERR_EXPECTED_OTHER,
		"the files have the root digest sha256:%s; expected was sha256:%s",
		digest_hex(original ? original : &root, have),
		digest_hex(&u->expected_root, want));
}
