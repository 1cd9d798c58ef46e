/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWER_MAX  (256u << 20)
#define TARGET_MAX  8192
#define HEADERS_MAX 10
#define TOKEN_LINE  (SETTINGS_TOKEN_MAX + 64)

/* The tensors of the largest model that a server takes have some 3 million values. */
static const struct json_limits answer_limits = {ANSWER_MAX, 4000000, 32, false};

struct api {
	const struct settings *settings;
	const atomic_bool *cancel;
	struct http *http;
	char authorization[TOKEN_LINE]; /* "" for none */
};

int api_open(const struct run *run, struct api **ret, struct fault *f)
{
	CLEANUP(api_close_p) struct api *a = calloc(1, sizeof(*a));
	const struct http_options options = {
		.user_agent = "modelctl/" PACKAGE_VERSION,
		.ca_file = run->settings->ca,
		.cancel = run->cancel,
	};
	int r;

	if (!a)
		return err_nomem(&f->e);
	a->settings = run->settings;
	a->cancel = run->cancel;
	if (a->settings->token)
		(void)snprintf(a->authorization, sizeof(a->authorization),
			"Authorization: Bearer %s", a->settings->token);
	r = http_new(&options, &a->http, &f->e);
	if (r == 0)
		*ret = take_ptr(a);
	return r;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	http_free(a->http);
	free(a);
}

bool api_cancelled(const struct api *a)
{
	return atomic_load(a->cancel);
}

void api_answer_done(struct api_answer *a)
{
	http_answer_done(&a->http);
	json_doc_free(a->doc);
	a->doc = NULL;
}

const struct json *api_root(const struct api_answer *a)
{
	return a->doc ? json_root(a->doc) : NULL;
}

/* ---- what goes wrong ---- */

/* Not set and empty alike; of the upper-case names curl(1) takes all but HTTP_PROXY. */
static const char *proxy_variable(const char *server)
{
	static const char *const secure[] = {
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
	bool tls = strncmp(server, "https:", 6) == 0;
	const char *const *names = tls ? secure : plain;

	for (size_t i = 0; i < (tls ? ARRAY_SIZE(secure) : ARRAY_SIZE(plain)); i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return names[i];
	}
	return NULL;
}

static int explain_network(const struct api *a, enum http_trouble trouble, struct fault *f)
{
	const char *proxy = proxy_variable(a->settings->server);

	if (f->e.code != ERR_FETCH_FAILED && f->e.code != ERR_FETCH_TIMED_OUT)
		return -(int)f->e.code;
	f->exit = FAULT_NETWORK;
	switch (trouble) {
	case HTTP_TROUBLE_CERTIFICATE:
		return fault_next(f,
			"--ca FILE trusts the certificate in FILE, or those that it has signed.");
	case HTTP_TROUBLE_CA_FILE:
		f->exit = FAULT_USAGE;
		return fault_next(f, "--ca, MODELCTL_CA or ca of the configuration is to name "
				     "a file with certificates in PEM.");
	case HTTP_TROUBLE_TLS:
		return fault_next(f, "Does it speak TLS at that port? An address that begins with "
				     "http:// is without.");
	default:
		(void)err_prefix(&f->e, "no answer");
	}
	if (proxy)
		return fault_next(f, "The way is through the proxy that %s names: is it there, and "
				     "does it let this pass? no_proxy leaves hosts out.", proxy);
	return fault_next(f,
		"Is modeld running there? --server, MODELCTL_SERVER or the "
		"configuration name another one.");
}

enum err_code api_error_code(const char *name)
{
#define ERR(code, status, blame, title) \
	if (strcmp(name, #code) == 0) \
		return ERR_##code;
#include "common/base/err.def"
#undef ERR
	return ERR_INTERNAL;
}

static enum fault_exit exit_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return FAULT_FORBIDDEN;
	case 422:
		return FAULT_INVALID;
	default:
		return FAULT_SERVER;
	}
}

/* What the code says more exactly than the status does. */
static const char *advice_of(enum err_code code)
{
	switch (code) {
	case ERR_ROUTE_NOT_FOUND:
		return "Is the path of --server right? Many servers have none.";
	case ERR_JOB_NOT_FOUND:
		return "`modelctl jobs --all` lists those that are remembered.";
	case ERR_LABEL_NOT_FOUND:
		return "`modelctl label ls NAME` lists them.";
	case ERR_FETCH_REFUSED:
		return "The server's import.allow names the hosts it may fetch from.";
	case ERR_NOT_LOADABLE:
		return "The findings say what to repair.";
	default:
		return NULL;
	}
}

static void advise(const struct api *a, int status, struct fault *f)
{
	const char *advice = advice_of(f->e.code);

	if (advice)
		(void)fault_next(f, "%s", advice);
	else if (status == 401 && a->settings->token)
		(void)fault_next(f,
			"The server does not take this token; has it expired? `modelctl "
			"login` keeps another one.");
	else if (status == 401)
		(void)fault_next(f, "Give a token: MODELCTL_TOKEN, --token, or `modelctl login`.");
	else if (status == 403)
		(void)fault_next(f, "This needs a token with another scope, or for other models.");
	else if (status == 404)
		(void)fault_next(f, "`modelctl ls` and `modelctl show NAME` say what there is.");
	else if (status == 421)
		(void)fault_next(f,
			"The server has to know the name in the URL: http.hosts in "
			"modeld.conf.");
	else if (status == 429 || status == 503)
		(void)fault_next(f, "Try again in a moment.");
	else if (status == 507)
		(void)fault_next(f,
			"Delete versions that nobody needs, or ask who runs the server.");
}

/* An answer that is none of modeld's: a proxy, or another server. */
static int explain_stranger(const struct api *a, const char *what, int status, struct fault *f)
{
	(void)err_set(&f->e, ERR_FETCH_STATUS,
		"%s: %s answers with status %d, and not as modeld does", what,
		a->settings->server, status);
	f->exit = status == 401 || status == 403 ? FAULT_FORBIDDEN : FAULT_SERVER;
	return fault_next(f,
		status / 100 == 3
			? "It redirects; give the address it leads to as --server."
			: "Is --server right, and what stands before it?");
}

static int explain_refusal(const struct api *a, const char *what, struct api_answer *answer,
	struct fault *f)
{
	int status = answer->http.status;
	const struct json *root;
	const char *code, *detail;
	struct err ignored;
	struct str quiet;

	json_doc_free(f->problem);
	f->problem = NULL;
	(void)json_parse(buf_str(&answer->http.body), answer->http.body.len, &answer_limits,
		&f->problem, &ignored);
	root = f->problem ? json_root(f->problem) : NULL;
	code = json_str(json_get(root, "code"));
	detail = json_str(json_get(root, "detail"));
	/* A HEAD, and files: they have no body. */
	if (!code && http_answer_header(&answer->http, "X-Error-Code", &quiet)) {
		CLEANUP_FREE char *name = str_dup(quiet);
		enum err_code found = name ? api_error_code(name) : ERR_OUT_OF_MEMORY;
		(void)err_set(&f->e, found, "%s: %s", what, err_title(found));
	} else if (!code || !detail) {
		return explain_stranger(a, what, status, f);
	} else {
		(void)err_set(&f->e, api_error_code(code), "%s: %s", what, detail);
	}
	f->exit = exit_of(status);
	f->next[0] = '\0';
	advise(a, status, f);
	return -(int)f->e.code;
}

/* ---- a request ---- */

static int parse_answer(const struct api *a, const char *what, struct api_answer *answer,
	struct fault *f)
{
	const struct buf *body = &answer->http.body;
	struct str type;

	if (body->len == 0 || !http_answer_header(&answer->http, "Content-Type", &type) ||
		!str_starts(type, "application/json"))
		return 0;
	if (json_parse(body->data, body->len, &answer_limits, &answer->doc, &f->e) == 0)
		return 0;
	(void)err_prefix(&f->e, "%s: %s answers with damaged JSON", what, a->settings->server);
	return fault_as(f, FAULT_SERVER);
}

static size_t make_headers(const struct api *a, const struct api_request *q, char *type,
	size_t size, const char *headers[HEADERS_MAX])
{
	size_t n = 0;

	if (a->authorization[0])
		headers[n++] = a->authorization;
	if (q->http.body_n > 0 || q->http.has_file || q->type) {
		(void)snprintf(type, size, "Content-Type: %s",
			q->type ? q->type : "application/json");
		headers[n++] = type;
	} else {
		headers[n++] = "Content-Type:"; /* none */
	}
	for (size_t i = 0; i < ARRAY_SIZE(q->headers) && q->headers[i]; i++)
		headers[n++] = q->headers[i];
	return n;
}

int api_send(struct api *a, const struct api_request *q, struct api_answer *ret, struct fault *f)
{
	CLEANUP_BUF struct buf url = BUF_INIT(TARGET_MAX);
	const char *headers[HEADERS_MAX];
	char type[128];
	struct http_request http = q->http;
	int r;

	*ret = (struct api_answer){.doc = NULL};
	buf_addf(&url, "%s%s", a->settings->server, q->target);
	r = buf_check(&url, "the URL", &f->e);
	if (r < 0)
		return r;
	http.method = q->method;
	http.url = buf_str(&url);
	http.headers = headers;
	http.headers_n = make_headers(a, q, type, sizeof(type), headers);
	http.max_answer = ANSWER_MAX;
	r = http_do(a->http, &http, &ret->http, &f->e);
	if (r < 0)
		return explain_network(a, ret->http.trouble, f);
	if (ret->http.status / 100 != 2)
		return explain_refusal(a, q->what, ret, f);
	return q->raw ? 0 : parse_answer(a, q->what, ret, f);
}

int api_get(struct api *a, const char *target, const char *what, struct api_answer *ret,
	struct fault *f)
{
	const struct api_request q = {
		.method = "GET", .target = target, .what = what, .http = {.coded = true}};
	int r = api_send(a, &q, ret, f);

	if (r == 0 && !ret->doc) {
		(void)err_set(&f->e, ERR_FETCH_STATUS,
			"%s: %s answers with something that is no JSON", what, a->settings->server);
		return fault_as(f, FAULT_SERVER);
	}
	return r;
}

/* ---- versions ---- */

static int bad_operand(const char *text, struct fault *f)
{
	(void)err_prefix(&f->e, "\"%.200s\"", text);
	return fault_as(f, FAULT_USAGE);
}

int api_check_name(const char *name, struct fault *f)
{
	return ref_check_name(str_of(name), &f->e) < 0 ? bad_operand(name, f) : 0;
}

int api_check_ref(const char *text, struct ref *ret, struct fault *f)
{
	return ref_parse(str_of(text), ret, &f->e) < 0 ? bad_operand(text, f) : 0;
}

int api_check_label(const char *label, struct fault *f)
{
	return ref_check_label(str_of(label), &f->e) < 0 ? bad_operand(label, f) : 0;
}

/* The version that has this root digest: versions are listed newest first, 500 at a time. */
static int find_root(struct api *a, const struct ref *ref, uint64_t *ret, struct fault *f)
{
	char hex[DIGEST_HEX + 1], wanted[DIGEST_HEX + 8], target[512] = "", token[32] = "";

	(void)snprintf(wanted, sizeof(wanted), "sha256:%s", digest_hex(&ref->root, hex));
	for (;;) {
		CLEANUP_API_ANSWER struct api_answer page = {.doc = NULL};
		const struct json *versions;
		const char *next;
		int r;

		(void)snprintf(target, sizeof(target), "/v1/models/%s?limit=500%s%s", ref->name,
			token[0] ? "&page_token=" : "", token);
		r = api_get(a, target, ref->name, &page, f);
		if (r < 0)
			return r;
		versions = json_get(api_root(&page), "versions");
		for (const struct json *v = json_first(versions); v; v = json_next(v))
			if (json_str_is(json_get(v, "root_digest"), wanted))
				return json_uint(json_get(v, "version"), REF_VERSION_MAX, ret)
					? 0
					: err_set(&f->e, ERR_BAD_JSON,
						  "a version without a number");
		next = json_str(json_get(api_root(&page), "next_page_token"));
		if (!next || strlen(next) >= sizeof(token))
			break;
		(void)snprintf(token, sizeof(token), "%s", next);
	}
	(void)err_set(&f->e, ERR_VERSION_NOT_FOUND, "%s has no version with the digest %s",
		ref->name, wanted);
	return fault_as(f, FAULT_SERVER);
}

static int describe_target(struct api *a, const struct ref *ref, char *target, size_t size,
	struct fault *f)
{
	uint64_t number = ref->version;
	int r = ref->kind == REF_DIGEST ? find_root(a, ref, &number, f) : 0;

	if (ref->kind == REF_VERSION || ref->kind == REF_DIGEST)
		(void)snprintf(target, size, "/v1/models/%s/versions/%" PRIu64, ref->name, number);
	else
		(void)snprintf(target, size, "/v1/models/%s/labels/%s", ref->name,
			ref->kind == REF_LABEL ? ref->label : "latest");
	return r;
}

int api_version(struct api *a, const char *text, struct api_version *ret, struct fault *f)
{
	char target[512];
	int r = api_check_ref(text, &ret->ref, f);

	if (r < 0)
		return r;
	r = describe_target(a, &ret->ref, target, sizeof(target), f);
	if (r == 0)
		r = api_get(a, target, text, &ret->answer, f);
	if (r < 0)
		return r;
	if (json_uint(json_get(api_root(&ret->answer), "version"), REF_VERSION_MAX, &ret->number) &&
		ret->number > 0)
		return 0;
	(void)err_set(&f->e, ERR_BAD_JSON, "%s: the server describes a version without a number",
		text);
	return fault_as(f, FAULT_SERVER);
}

void api_version_done(struct api_version *v)
{
	api_answer_done(&v->answer);
}
