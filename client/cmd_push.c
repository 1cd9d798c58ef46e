/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/cmd_label.h"
#include "client/say.h"
#include "client/send.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

struct push {
	struct run *run;
	const char *source, *name;
	const char *label; /* or NULL */
	bool dry_run, only_new;
	unsigned threads;
	struct local *local;
	struct finding_policy policy;
	struct findings findings;
	struct lint_verdict verdict;
};

static void push_done(struct push *p)
{
	lint_verdict_done(&p->verdict);
	findings_done(&p->findings);
	local_close(p->local);
}

static int read_args(struct push *p, struct fault *f)
{
	int r = api_check_name(p->name, f);

	if (r == 0 && p->label)
		r = api_check_label(p->label, f);
	return r < 0 ? r : crew_threads(p->run, &p->threads, f);
}

/* ---- judging ---- */

static void write_findings(const struct push *p, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	findings_write(&p->findings, &w, "errors");
	json_write_object_end(&w);
}

/* The findings travel with the fault, as those that a server sends do. */
static int refuse(const struct push *p, struct fault *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(SAY_MAX);
	static const struct json_limits limits = {SAY_MAX, 100000, 8, false};
	struct err ignored;

	write_findings(p, &json);
	(void)json_parse(buf_str(&json), json.len, &limits, &f->problem, &ignored);
	(void)err_prefix(&f->e, "%s", p->source);
	return fault_next(f, "Nothing was sent. `modelctl lint` judges it again; --rule says it "
			     "where the server has set rules otherwise.");
}

static int judge(struct push *p, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(SAY_MAX);
	int r = local_open(p->run, p->source, &p->local, f);

	if (r == 0)
		r = local_lint(p->local, &p->verdict, &p->findings, f);
	if (r == -(int)ERR_NOT_LOADABLE)
		return refuse(p, f);
	if (r == 0 && !p->run->quiet && !p->run->json) {
		say_findings(&p->findings, p->run->err_color, &text);
		(void)fwrite(buf_str(&text), 1, text.len, stderr);
	}
	return r;
}

/* ---- what is there already ---- */

/* The version that has these very files: `*ret_number` is 0 for none. */
static int find_same(const struct push *p, struct api *a, struct api_version *ret, struct fault *f)
{
	char text[REF_TEXT_MAX + 1], hex[DIGEST_HEX + 1];
	int r;

	(void)snprintf(text, sizeof(text), "%s@sha256:%s", p->name,
		digest_hex(&p->verdict.root, hex));
	r = api_version(a, text, ret, f);
	if (r == 0 ||
		(f->e.code != ERR_VERSION_NOT_FOUND && f->e.code != ERR_MODEL_NOT_FOUND &&
			f->e.code != ERR_DELETED))
		return r;
	fault_done(f);
	*f = (struct fault){.exit = FAULT_NONE};
	ret->number = 0;
	return 0;
}

static int print_url(const struct run *run, const struct api_answer *answer, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);
	const char *url = json_str(json_get(api_root(answer), "url"));

	if (run->json)
		return say_out(&answer->http.body, f);
	say_clean(url ? url : "", &text);
	buf_add_char(&text, '\n');
	return say_out(&text, f);
}

static void copy_members(const struct json *from, const char *const *keys, size_t n,
	struct json_write *w)
{
	for (size_t i = 0; i < n; i++)
		if (json_get(from, keys[i]))
			say_value(w, keys[i], json_get(from, keys[i]));
}

/* What publishing would have answered, from the description of the version that is there. */
static int print_kept(const struct push *p, const struct json *version, struct fault *f)
{
	static const char *const keys[] = {"name", "version", "ref", "url", "root_digest"};
	static const char *const findings[] = {"findings"};
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	struct json_write w;

	json_write_init(&w, &out);
	json_write_object(&w, NULL);
	copy_members(version, keys, ARRAY_SIZE(keys), &w);
	json_write_bool(&w, "deduplicated", true);
	if (p->label)
		json_write_str(&w, "label", p->label);
	copy_members(version, findings, ARRAY_SIZE(findings), &w);
	say_value(&w, "modelArtifactsInfo", json_get(version, "model_artifacts_info"));
	json_write_object_end(&w);
	return say_json(&out, f);
}

static int keep(const struct push *p, struct api *a, const struct api_version *same,
	struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer moved = {.doc = NULL};
	int r = 0;

	say_note(p->run, "%s@%" PRIu64 " has these very files.", p->name, same->number);
	if (p->label && !p->dry_run)
		r = cmd_label_move(a, p->name, p->label, same->number, NULL, &moved, f);
	if (r < 0)
		return r;
	return p->run->json ? print_kept(p, api_root(&same->answer), f)
			    : print_url(p->run, &same->answer, f);
}

/* ---- sending ---- */

static void write_dry(const struct push *p, const struct send_tally *t, struct buf *out)
{
	char hex[DIGEST_HEX + 1], digest[DIGEST_HEX + 8];
	struct json_write w;

	(void)snprintf(digest, sizeof(digest), "sha256:%s", digest_hex(&p->verdict.root, hex));
	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "name", p->name);
	json_write_bool(&w, "dry_run", true);
	json_write_str(&w, "root_digest", digest);
	json_write_uint(&w, "files", local_files(p->local)->n);
	json_write_uint(&w, "bytes", local_bytes(p->local));
	json_write_uint(&w, "would_send", local_bytes(p->local) - t->there);
	json_write_bool(&w, "resharded", p->verdict.resharded);
	findings_write(&p->findings, &w, "findings");
	json_write_object_end(&w);
}

static int tell_dry(const struct push *p, const struct send_tally *t, struct fault *f)
{
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	char all[NUM_SIZE_TEXT], left[NUM_SIZE_TEXT];

	if (p->run->json) {
		write_dry(p, t, &out);
		return say_json(&out, f);
	}
	buf_addf(&out, "%s: %zu files, %s; %s would be sent\n", p->name, local_files(p->local)->n,
		num_format_size(local_bytes(p->local), all),
		num_format_size(local_bytes(p->local) - t->there, left));
	return p->run->quiet ? 0 : say_out(&out, f);
}

static int dry_run(const struct push *p, struct api *a, struct send *s, struct fault *f)
{
	CLEANUP(fault_done) struct fault ignored = {.exit = FAULT_NONE};
	int r = send_ask(s, f);

	(void)send_drop(s, a, &ignored);
	return r < 0 ? r : tell_dry(p, send_tally(s), f);
}

static void tell(const struct push *p, const struct send *s, const struct api_answer *answer)
{
	const struct json *root = api_root(answer);
	const struct send_tally *t = send_tally(s);
	const char *ref = json_str(json_get(root, "ref"));
	char sent[NUM_SIZE_TEXT], there[NUM_SIZE_TEXT];
	bool same = json_is(json_get(root, "deduplicated"), JSON_TRUE);

	say_note(p->run, "%s %s; %s sent, the server had %s.", ref ? ref : p->name,
		same ? "has these very files" : "is published", num_format_size(t->sent, sent),
		num_format_size(t->there, there));
}

static int publish(const struct push *p, struct api *a, struct send *s, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	int r = send_files(s, f);

	if (r == 0)
		r = send_publish(s, a, p->label, false, &answer, f);
	if (r < 0)
		return r;
	tell(p, s, &answer);
	return print_url(p->run, &answer, f);
}

static int push(struct push *p, struct fault *f)
{
	CLEANUP(api_close_p) struct api *a = NULL;
	CLEANUP(send_close_p) struct send *s = NULL;
	CLEANUP_API_VERSION struct api_version same = {.number = 0};
	int r = judge(p, f);

	if (r == 0)
		r = api_open(p->run, &a, f);
	if (r == 0 && p->only_new)
		r = find_same(p, a, &same, f);
	if (r < 0)
		return r;
	if (same.number > 0)
		return keep(p, a, &same, f);
	const struct send_options o = {
		.run = p->run,
		.model = p->name,
		.local = p->local,
		.root = &p->verdict.root,
		.threads = p->threads,
		.passing = p->dry_run,
	};
	r = send_open(&o, a, &s, f);
	if (r < 0)
		return r;
	return p->dry_run ? dry_run(p, a, s, f) : publish(p, a, s, f);
}

int cmd_push(struct run *run, struct fault *f)
{
	CLEANUP(push_done)
	struct push p = {
		.run = run,
		.source = run_operand(run, 0),
		.name = run_operand(run, 1),
		.label = args_value(run->args, USAGE_LABEL),
		.dry_run = args_has(run->args, USAGE_DRY_RUN),
		.only_new = args_has(run->args, USAGE_ONLY_NEW),
	};
	int r;

	r = local_policy(run->args, &p.policy, f);
	findings_init_policy(&p.findings, &p.policy);
	if (r == 0)
		r = read_args(&p, f);
	return r < 0 ? r : push(&p, f);
}
