/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "client/cmd.h"
#include "client/local.h"
#include "client/say.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- on disk ---- */

static void write_local(struct local *l, const char *path, const struct lint_verdict *v, bool valid,
	const struct findings *findings, struct buf *out)
{
	char hex[DIGEST_HEX + 1], digest[DIGEST_HEX + 8];
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "path", path);
	json_write_bool(&w, "valid", valid);
	if (v->json)
		json_write_str(&w, "kind", modeljson_kind_name(v->json->kind));
	json_write_uint(&w, "files", local_files(l)->n);
	json_write_uint(&w, "bytes", local_bytes(l));
	if (valid) {
		(void)snprintf(digest, sizeof(digest), "sha256:%s", digest_hex(&v->root, hex));
		json_write_str(&w, "root_digest", digest);
		json_write_bool(&w, "resharded", v->resharded);
		artifact_write(v->artifact, &w);
	}
	findings_write(findings, &w, "findings");
	json_write_object_end(&w);
}

static void add_count(size_t n, const char *what, bool *first, struct buf *out)
{
	if (n == 0)
		return;
	buf_addf(out, "%s%zu %s%s", *first ? "" : ", ", n, what, n == 1 ? "" : "s");
	*first = false;
}

static void add_verdict(struct local *l, const char *path, const struct lint_verdict *v, bool valid,
	const struct findings *findings, struct buf *out)
{
	char size[NUM_SIZE_TEXT];
	bool first = true;

	say_clean(path, out);
	buf_add_str(out, ": ");
	add_count(findings->counts[FINDING_ERROR], "error", &first, out);
	add_count(findings->counts[FINDING_WARNING], "warning", &first, out);
	if (valid)
		buf_addf(out, "%sTensorFlow.js can load it: %s, %zu file%s, %s",
			first ? "" : "; ", modeljson_kind_name(v->json->kind), local_files(l)->n,
			local_files(l)->n == 1 ? "" : "s", num_format_size(local_bytes(l), size));
	buf_add_char(out, '\n');
}

static int lint_local(struct run *run, const char *path, struct fault *f)
{
	CLEANUP(local_close_p) struct local *l = NULL;
	CLEANUP_FINDINGS struct findings findings;
	CLEANUP_LINT_VERDICT struct lint_verdict v = {.json = NULL};
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	struct finding_policy policy;
	int r = local_policy(run->args, &policy, f);

	findings_init_policy(&findings, &policy);
	if (r == 0)
		r = local_open(run, path, &l, f);
	if (r == 0)
		r = local_lint(l, &v, &findings, f);
	if (r < 0 && r != -(int)ERR_NOT_LOADABLE)
		return r;
	if (r < 0 && !l)
		return r;
	run->exit = r < 0 ? FAULT_INVALID : FAULT_NONE;
	if (run->json) {
		write_local(l, path, &v, r == 0, &findings, &out);
		return say_json(&out, f);
	}
	say_findings(&findings, run->color, &out);
	if (!run->quiet)
		add_verdict(l, path, &v, r == 0, &findings, &out);
	return say_out(&out, f);
}

/* ---- on the server ---- */

static bool has_error(const struct json *findings)
{
	for (const struct json *x = json_first(findings); x; x = json_next(x))
		if (json_str_is(json_get(x, "severity"), "error"))
			return true;
	return false;
}

static void write_stored(const struct api_version *v, bool valid, struct buf *out)
{
	const struct json *root = api_root(&v->answer);
	static const char *const keys[] = {"ref", "kind", "root_digest", "bytes", "signature"};
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_bool(&w, "valid", valid);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_get(root, keys[i]))
			say_value(&w, keys[i], json_get(root, keys[i]));
	if (json_get(root, "findings"))
		say_value(&w, "findings", json_get(root, "findings"));
	json_write_object_end(&w);
}

static int lint_stored(struct run *run, const char *ref, struct fault *f)
{
	CLEANUP_API_VERSION struct api_version v = {.number = 0};
	CLEANUP(api_close_p) struct api *a = NULL;
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	const struct json *findings;
	int r = api_open(run, &a, f);

	if (r == 0)
		r = api_version(a, ref, &v, f);
	if (r < 0)
		return r;
	findings = json_get(api_root(&v.answer), "findings");
	run->exit = has_error(findings) ? FAULT_INVALID : FAULT_NONE;
	if (run->json) {
		write_stored(&v, run->exit == FAULT_NONE, &out);
		return say_json(&out, f);
	}
	say_findings_json(findings, run->color, &out);
	if (!run->quiet)
		buf_addf(&out, "%s@%" PRIu64 ": %zu finding%s\n", v.ref.name, v.number,
			json_count(findings), json_count(findings) == 1 ? "" : "s");
	return say_out(&out, f);
}

int cmd_lint(struct run *run, struct fault *f)
{
	const char *what = run_operand(run, 0);
	bool is_local;
	int r = local_is(what, &is_local, f);

	if (r < 0)
		return r;
	if (!is_local && args_has(run->args, USAGE_RULE))
		return fault_usage(f, "--rule goes with a folder or an archive: %s is judged as "
				      "its server has set the rules", what);
	return is_local ? lint_local(run, what, f) : lint_stored(run, what, f);
}
