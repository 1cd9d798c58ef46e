/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/listing.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define TARGET_MAX 4096

static void add_labels(struct say_table *t, const struct json *labels)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);

	for (const struct json *x = json_first(labels); x; x = json_next(x)) {
		uint64_t version = 0;
		(void)json_uint(x, REF_VERSION_MAX, &version);
		buf_addf(&text, "%s%s=%" PRIu64, text.len > 0 ? " " : "", json_key(x), version);
	}
	say_table_add(t, buf_str(&text));
}

static void add_model(struct say_table *t, const struct json *model)
{
	uint64_t bytes = 0;
	char size[NUM_SIZE_TEXT], day[sizeof("2026-01-01")];

	(void)json_uint(json_get(model, "bytes"), NUM_SAFE_INTEGER_MAX, &bytes);
	(void)snprintf(day, sizeof(day), "%s", say_text(model, "updated"));
	say_table_add(t, say_text(model, "name"));
	listing_add_number(t, model, "latest");
	listing_add_number(t, model, "versions");
	say_table_add(t, num_format_size(bytes, size));
	say_table_add(t, day);
	add_labels(t, json_get(model, "labels"));
}

int cmd_ls(struct run *run, struct fault *f)
{
	static const char *const heads[] = {
		"NAME", "LATEST", "VERSIONS", "SIZE", "UPDATED", "LABELS"};
	const struct listing models = {
		.what = "models",
		.key = "models",
		.id = "name",
		.heads = heads,
		.columns = ARRAY_SIZE(heads),
		.right = 1u << 1 | 1u << 2 | 1u << 3,
		.add = add_model,
		.some = run_operand(run, 0) != NULL,
	};
	CLEANUP_BUF struct buf target = BUF_INIT(TARGET_MAX);
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *prefix = run_operand(run, 0);
	int r;

	buf_add_str(&target, "/v1/models?limit=500");
	if (prefix) {
		buf_add_str(&target, "&prefix=");
		listing_encode(prefix, &target);
	}
	r = buf_check(&target, "the prefix", &f->e);
	if (r == 0)
		r = api_open(run, &a, f);
	return r < 0 ? r : listing_print(run, a, &models, buf_str(&target), f);
}
