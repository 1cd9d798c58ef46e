/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/doctor.h"
#include "client/say.h"
#include "common/base/num.h"

#define PAGE "https://example.com"

static int take_header(struct doctor_host *h, const char *given, struct fault *f)
{
	struct str value = str_of(given), name;

	if (!str_split(&value, ':', &name) || !value.p || !str_is_token(name) ||
		given[strcspn(given, "\r\n")] != '\0')
		return fault_usage(f, "--header is \"Name: value\", not \"%.100s\"", given);
	if (h->headers_n == DOCTOR_CORS_HEADERS_MAX)
		return fault_usage(f, "there are more than %d headers", DOCTOR_CORS_HEADERS_MAX);
	h->headers[h->headers_n++] = given;
	return 0;
}

/* Of a handle what loadGraphModel() makes of it with fromTFHub (tfjs-converter, graph_model.ts). */
static int read_url(const struct run *run, struct url *ret, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(URL_MAX + 64);
	const char *given = run_operand(run, 0);
	size_t n = strlen(given);
	int r;

	buf_add_str(&text, given);
	if (args_has(run->args, USAGE_TF_HUB))
		buf_addf(&text, "%smodel.json?tfjs-format=file",
			n > 0 && given[n - 1] == '/' ? "" : "/");
	r = buf_check(&text, "the URL", &f->e);
	if (r == 0)
		r = url_parse((struct str){buf_str(&text), text.len}, ret, &f->e);
	if (r == 0)
		return 0;
	(void)err_prefix(&f->e, "\"%.200s\"", given);
	f->exit = FAULT_USAGE;
	return fault_next(f, "It is the URL of model.json, as the page names it.");
}

static int read_options(const struct run *run, struct doctor *d, struct fault *f)
{
	const char *page = args_value(run->args, USAGE_ORIGIN);
	int r = read_url(run, &d->model, f);

	if (r == 0)
		r = doctor_cors_origin(page ? page : PAGE, &d->host.page, d->host.origin, &f->e);
	for (size_t i = 0; r == 0 && i < run->args->given_n; i++)
		if (run->args->given[i].option == USAGE_HEADER)
			r = take_header(&d->host, run->args->given[i].value, f);
	d->only_heads = args_has(run->args, USAGE_HEAD);
	d->host.credentials = args_has(run->args, USAGE_CREDENTIALS);
	return r;
}

static size_t shards_of(const struct doctor *d)
{
	return d->json && d->json->manifest ? d->json->manifest->paths_n : 0;
}

static void write_result(const struct doctor *d, const char *url, bool breaks, struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "url", url);
	json_write_str(&w, "origin", d->host.origin);
	json_write_bool(&w, "breaks", breaks);
	if (d->json) {
		json_write_str(&w, "kind", modeljson_kind_name(d->json->kind));
		json_write_uint(&w, "shards", shards_of(d));
		json_write_uint(&w, "bytes", d->bytes);
	}
	doctor_report_write(&d->report, &w, "findings");
	json_write_object_end(&w);
}

static void add_verdict(const struct doctor *d, const char *url, bool breaks, struct buf *out)
{
	const size_t *n = d->report.counts;
	char size[NUM_SIZE_TEXT];

	buf_addf(out, "%s: ", url);
	if (breaks || !d->json)
		buf_addf(out, "%zu thing%s to repair before a page of %s can load it\n",
			n[FINDING_ERROR], n[FINDING_ERROR] == 1 ? "" : "s", d->host.origin);
	else
		buf_addf(out, "a page of %s can load it: %s, %zu shard%s, %s\n", d->host.origin,
			modeljson_kind_name(d->json->kind), shards_of(d),
			shards_of(d) == 1 ? "" : "s", num_format_size(d->bytes, size));
}

static int print_result(struct run *run, const struct doctor *d, struct fault *f)
{
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX), url = BUF_INIT(4 * URL_MAX);
	bool breaks = d->report.counts[FINDING_ERROR] > 0;

	if (d->report.no_memory)
		return err_nomem(&f->e);
	run->exit = breaks ? FAULT_INVALID : FAULT_NONE;
	url_redact(str_of(d->model.text), &url);
	if (run->json) {
		write_result(d, buf_str(&url), breaks, &out);
		return say_json(&out, f);
	}
	doctor_report_print(&d->report, run->color, &out);
	if (!run->quiet)
		add_verdict(d, buf_str(&url), breaks, &out);
	return say_out(&out, f);
}

int cmd_doctor(struct run *run, struct fault *f)
{
	CLEANUP(http_free_p) struct http *http = NULL;
	CLEANUP_DOCTOR struct doctor d = {.json = NULL};
	const struct http_options options = {
		.user_agent = "modelctl/" PACKAGE_VERSION,
		.ca_file = args_value(run->args, USAGE_CA), /* not that of the server */
		.cancel = run->cancel,
	};
	int r = read_options(run, &d, f);

	if (r == 0)
		r = http_new(&options, &http, &f->e);
	d.run = run;
	d.host.http = http;
	if (r == 0)
		r = doctor_look(&d, f);
	return r < 0 ? r : print_result(run, &d, f);
}
