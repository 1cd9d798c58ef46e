/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit_upload.h"
#include "common/base/num.h"
#include "tests/unit/unit_dir.h"

#include <string.h>

struct registry_options unit_upload_options(void)
{
	return (struct registry_options){
		.dir = unit_dir_path,
		.max_model_json_bytes = 64 * KIB,
		.max_file_bytes = MIB,
		.max_version_bytes = 2 * MIB,
		.max_version_files = 10,
		.max_expansion = 100,
		.repair = true,
	};
}

static int send_part(struct upload *u, const struct unit_part *p, struct err *e)
{
	int r = upload_file_begin(u, str_of(p->part_name), str_of(p->filename), e);

	if (r == 0)
		r = upload_file_write(u, p->bytes, p->n / 2, e);
	if (r == 0)
		r = upload_file_write(u, p->bytes + p->n / 2, p->n - p->n / 2, e);
	return r < 0 ? r : upload_file_end(u, e);
}

int unit_upload_publish(struct registry *r, const char *name, const struct unit_part *parts,
	size_t n, struct published *ret, struct findings *f, struct err *e)
{
	CLEANUP(upload_free_p) struct upload *u = NULL;
	int x = upload_new(r, name, &u, e);

	for (size_t i = 0; x == 0 && i < n; i++)
		x = send_part(u, &parts[i], e);
	return x < 0 ? x : upload_publish(u, ret, f, e);
}

int unit_upload_model(struct registry *r, const char *name, const char *weights,
	struct published *ret, struct err *e)
{
	const struct unit_part parts[] = {
		UNIT_PART("model.json", "model.json", UNIT_MODEL_JSON),
		{"model.weights.bin", "model.weights.bin", weights, 8},
	};
	CLEANUP_FINDINGS struct findings f;

	findings_init(&f);
	return unit_upload_publish(r, name, parts, ARRAY_SIZE(parts), ret, &f, e);
}
