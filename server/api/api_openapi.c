/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_openapi.h"
#include "common/digest/digest.h"
#include "common/ingest/encode.h"
#include "server/api/api.h"
#include "server/api/api_openapi_write.h"

#include <pthread.h>
#include <stdio.h>

#define TEXT_MAX (1u << 20)
/* It changes with the daemon alone. */
#define CACHING "public, max-age=3600"

struct api_openapi {
	pthread_mutex_t lock;
	struct entity *entity; /* under the lock; NULL until it is asked for */
};

int api_openapi_new(struct api_openapi **ret, struct err *e)
{
	struct api_openapi *x = calloc(1, sizeof(*x));

	if (x && pthread_mutex_init(&x->lock, NULL) != 0)
		free(take_ptr(x));
	if (!x)
		return err_nomem(e);
	*ret = x;
	return 0;
}

void api_openapi_free(struct api_openapi *x)
{
	if (!x)
		return;
	entity_unref(x->entity);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/* What the entity is made of, until it has taken it over. */
struct making {
	struct entity_options o;
	char etags[CODINGS_N][DIGEST_HEX + 16];
};

static int add_form(struct making *m, enum coding coding, struct buf *bytes, struct err *e)
{
	struct entity_form *form = &m->o.forms[coding];
	char hex[DIGEST_HEX + 1];
	struct digest digest;
	int result = digest_of(bytes->data, bytes->len, &digest, e);

	if (result < 0)
		return result;
	(void)snprintf(m->etags[coding], sizeof(m->etags[coding]), "\"sha256-%s\"",
		digest_hex(&digest, hex));
	form->etag = m->etags[coding];
	form->size = bytes->len;
	form->cls = buf_take(bytes, NULL);
	form->bytes = form->cls;
	form->release = free;
	return 0;
}

static int add_coded(struct making *m, enum coding coding, enum encode_coding made_by,
	struct err *e)
{
	const struct entity_form *identity = &m->o.forms[CODING_IDENTITY];
	CLEANUP_BUF struct buf coded = BUF_INIT(TEXT_MAX);
	bool pays = false;
	int result = encode_buf(made_by, (struct str){identity->bytes, (size_t)identity->size},
		&coded, &pays, e);

	return result == 0 && pays ? add_form(m, coding, &coded, e) : result;
}

static void drop_forms(struct making *m)
{
	for (size_t i = 0; i < CODINGS_N; i++)
		free(m->o.forms[i].cls);
}

static int make(struct entity **ret, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	struct making m = {.o = {.content_type = "application/json", .cache_control = CACHING}};
	int result = api_openapi_write(api_routes, api_routes_n, &text, e);

	if (result == 0)
		result = add_form(&m, CODING_IDENTITY, &text, e);
	if (result == 0)
		result = add_coded(&m, CODING_BR, ENCODE_BROTLI, e);
	if (result == 0)
		result = add_coded(&m, CODING_GZIP, ENCODE_GZIP, e);
	if (result < 0) {
		drop_forms(&m);
		return result;
	}
	*ret = entity_new(&m.o);
	return *ret ? 0 : err_nomem(e);
}

static int openapi_work(struct req *r, struct err *e)
{
	struct api_openapi *x = ((const struct app *)req_app(r))->openapi;
	int result = 0;

	pthread_mutex_lock(&x->lock);
	if (!x->entity)
		result = make(&x->entity, e);
	if (result == 0)
		req_entity(r, x->entity);
	pthread_mutex_unlock(&x->lock);
	return result;
}

const struct handler api_openapi = {
	.name = "openapi",
	.target = HANDLER_OPEN,
	.work = openapi_work,
};
