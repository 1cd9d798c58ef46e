/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a raw path, perhaps '?' and a query. What is captured is fit to be used. */
#include "tests/fuzz/fuzz.h"

#include "server/http/router.h"

static const struct router_row table[] = {
	{METHOD_GET, "/models/{name+}/model.json", "model.json"},
	{METHOD_GET, "/models/{ref@}/{path*}", "file"},
	{METHOD_GET, "/models/{ref@}", "version page"},
	{METHOD_GET, "/models/{name+}", "page"},
	{METHOD_POST | METHOD_PUT, "/models/{name+}", "save"},
	{METHOD_GET, "/v1/models/{name+}", "model"},
	{METHOD_POST, "/v1/models/{name+}:import", "import"},
	{METHOD_GET, "/v1/models/{name+}/versions/{version}", "version"},
	{METHOD_PUT, "/v1/uploads/{id}/files/{path*}", "upload file"},
	{METHOD_GET, "/healthz", "health"},
};

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_capture(const struct router_match *m, struct str capture)
{
	struct str rest = capture, segment;

	demand(capture.p >= m->text.data && capture.p + capture.n <= m->text.data + m->text.len);
	demand(capture.n > 0 && str_is_utf8(capture));
	for (size_t i = 0; i < capture.n; i++)
		demand((uint8_t)capture.p[i] >= 0x20 && !strchr("\x7F\\", capture.p[i]));
	while (str_split(&rest, '/', &segment))
		demand(segment.n > 0 && !str_eq_c(segment, ".") && !str_eq_c(segment, ".."));
}

static void check_match(const struct router_match *m)
{
	demand(m->pattern && m->allowed != 0);
	demand(!m->row || strcmp(m->row->pattern, m->pattern) == 0);
	for (size_t i = 0; i < m->captures_n; i++)
		check_capture(m, m->captures[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf value = BUF_INIT(64);
	CLEANUP(router_match_done) struct router_match m = {.row = NULL};
	struct str query = {(const char *)data, size}, path;
	struct err e;

	if (size == 0 || !str_split(&query, '?', &path))
		return 0;
	if (router_find(table, ARRAY_SIZE(table), METHOD_GET, path, &m, &e) == 0)
		check_match(&m);
	else
		demand(!m.row && e.text[0] != '\0');
	if (!router_query(query, "label", &value))
		demand(value.len == 0);
	return 0;
}
