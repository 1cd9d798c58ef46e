/* SPDX-License-Identifier: Apache-2.0 */
#include "server/certificate.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/http/tls.h"

#define WARNING_MAX 1024

static void warn(const struct buf *warning)
{
	if (warning->len > 0)
		log_event(LOG_LEVEL_WARNING, "certificate", "warning", buf_str(warning), NULL);
}

static const char *secure_address(const struct config *c)
{
	for (size_t i = 0; i < c->http_listen.n; i++)
		if (httpd_listen_wants_tls(c->http_listen.items[i]))
			return c->http_listen.items[i];
	return NULL;
}

int certificate_check(const struct config *c, struct err *e)
{
	CLEANUP_BUF struct buf warning = BUF_INIT(WARNING_MAX);
	const char *address = secure_address(c);
	struct tls_facts facts;

	if (!c->tls_certificate[0] && !c->tls_key[0] && !address)
		return 0;
	if (!c->tls_certificate[0] || !c->tls_key[0])
		return err_set(e, ERR_CONFIG,
			"%s needs both tls.certificate and tls.key", address ? address : "TLS");
	if (tls_check(c->tls_certificate, c->tls_key, &facts, e) < 0)
		return -(int)e->code;
	(void)tls_warn(&facts, clock_now_ms(), &warning);
	warn(&warning);
	return 0;
}

void certificate_refresh(struct httpd *h, bool anyway)
{
	CLEANUP_BUF struct buf warning = BUF_INIT(WARNING_MAX);
	struct err e;
	int r = httpd_refresh_certificate(h, anyway, &warning, &e);

	if (r < 0)
		log_err("reading the certificate anew failed; the one from before stays", &e);
	else if (r > 0)
		log_event(LOG_LEVEL_INFO, "read the certificate anew", NULL);
	warn(&warning);
}
