/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_json.h"
#include "common/model/filepath.h"

#include <stdio.h>

#define NO_HEADER ((struct entity_header){"", ""})

void api_json_ref(struct json_write *w, const char *key, const char *model, uint64_t version)
{
	char text[REF_TEXT_MAX + 1];

	(void)snprintf(text, sizeof(text), "%s@%llu", model, (unsigned long long)version);
	json_write_str(w, key, text);
}

void api_json_url(struct json_write *w, const char *key, const char *base_url, const char *model,
	uint64_t version)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);

	buf_addf(&text, "%s/models/%s@%llu/" FILEPATH_MODEL, base_url, model,
		(unsigned long long)version);
	json_write_str(w, key, buf_str(&text));
}

void api_json_root(struct json_write *w, const char *key, const struct digest *root)
{
	char hex[DIGEST_HEX + 1], text[DIGEST_HEX + 8];

	(void)snprintf(text, sizeof(text), "sha256:%s", digest_hex(root, hex));
	json_write_str(w, key, text);
}

void api_json_status(struct json_write *w, uint64_t version)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)version);
	json_write_object(w, NULL);
	json_write_str(w, "version", number);
	json_write_str(w, "state", "AVAILABLE");
	json_write_object(w, "status");
	json_write_str(w, "error_code", "OK");
	json_write_str(w, "error_message", "");
	json_write_object_end(w);
	json_write_object_end(w);
}

/* With one more header, unless its value is empty. */
static int reply(struct req *r, struct buf *json, const char *etag, struct entity_header header,
	struct err *e)
{
	size_t n = json->len;
	char *bytes = buf_take(json, NULL);
	CLEANUP(entity_unref_p)
	struct entity *entity = entity_new(&(struct entity_options){
		.forms[CODING_IDENTITY] = {
			.bytes = bytes, .size = n, .release = free, .cls = bytes, .etag = etag,
		},
		.content_type = "application/json",
		.cache_control = req_is_private(r) ? "private, no-cache" : "no-cache",
		.headers = &header,
		.headers_n = *header.value ? 1 : 0,
	});
	if (!entity)
		return err_nomem(e);
	req_entity(r, entity);
	return 0;
}

int api_json_reply_tagged(struct req *r, struct buf *json, const char *etag, struct err *e)
{
	int result;

	buf_add_char(json, '\n');
	result = buf_check(json, "the answer", e);
	return result < 0 ? result : reply(r, json, etag, NO_HEADER, e);
}

static int reply_hashed(struct req *r, struct buf *json, struct entity_header header,
	struct err *e)
{
	char hex[DIGEST_HEX + 1], etag[DIGEST_HEX + 16];
	struct digest digest;
	int result;

	buf_add_char(json, '\n');
	result = buf_check(json, "the answer", e);
	if (result == 0)
		result = digest_of(json->data, json->len, &digest, e);
	if (result < 0)
		return result;
	(void)snprintf(etag, sizeof(etag), "\"sha256-%s\"", digest_hex(&digest, hex));
	return reply(r, json, etag, header, e);
}

int api_json_reply(struct req *r, struct buf *json, struct err *e)
{
	return reply_hashed(r, json, NO_HEADER, e);
}

int api_json_reply_page(struct req *r, struct buf *json, const struct buf *link, struct err *e)
{
	int result = buf_check(link, "the link to the next page", e);

	if (result < 0)
		return result;
	return reply_hashed(r, json, (struct entity_header){"Link", buf_str(link)}, e);
}

int api_json_reply_varied(struct req *r, struct buf *json, const char *vary, struct err *e)
{
	return reply_hashed(r, json, (struct entity_header){"Vary", vary}, e);
}

const char *api_json_revision(uint64_t revision, char buf[API_JSON_REVISION_TEXT])
{
	(void)snprintf(buf, API_JSON_REVISION_TEXT, "\"%llu\"", (unsigned long long)revision);
	return buf;
}

int api_json_absent(struct err *e)
{
	if (e->code == ERR_BAD_NAME || e->code == ERR_BAD_REF)
		e->code = ERR_MODEL_NOT_FOUND;
	return -(int)e->code;
}
