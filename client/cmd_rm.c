/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "client/cmd.h"
#include "client/say.h"

#include <inttypes.h>
#include <stdio.h>

#define TARGET_MAX (sizeof("/v1/models//versions/") + REF_NAME_MAX + 24)

static int need_number(const char *text, struct fault *f)
{
	(void)fault_usage(f, "rm %s: a version is deleted by its number", text);
	return fault_next(f, "Name it as NAME@7; NAME and --all delete the whole model.");
}

static int choose(struct api *a, const char *text, bool all, char target[TARGET_MAX],
	struct fault *f)
{
	CLEANUP_API_VERSION struct api_version v = {.number = 0};
	struct ref ref;
	int r = api_check_ref(text, &ref, f);

	if (r < 0)
		return r;
	if (all && strchr(text, '@'))
		return fault_usage(f, "rm --all goes with a name alone, not with %s", text);
	if (all) {
		(void)snprintf(target, TARGET_MAX, "/v1/models/%s", ref.name);
		return 0;
	}
	if (!ref_is_pinned(&ref))
		return need_number(text, f);
	/* A digest is looked up; a number need not exist any more. */
	if (ref.kind == REF_DIGEST) {
		r = api_version(a, text, &v, f);
		ref.version = v.number;
	}
	(void)snprintf(target, TARGET_MAX, "/v1/models/%s/versions/%" PRIu64, ref.name,
		ref.version);
	return r;
}

int cmd_rm(struct run *run, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	const char *text = run_operand(run, 0);
	char target[TARGET_MAX] = "";
	struct api_request q = {.method = "DELETE", .target = target, .what = text};
	int r = api_open(run, &a, f);

	if (r == 0)
		r = choose(a, text, args_has(run->args, USAGE_ALL), target, f);
	if (r == 0)
		r = api_send(a, &q, &answer, f);
	if (r < 0 && answer.http.status == 409)
		return fault_next(f, "`modelctl label rm %.*s LABEL` takes the label away first.",
			(int)strcspn(text, "@"), text);
	return r < 0 ? r : say_deleted(run, text, f);
}
