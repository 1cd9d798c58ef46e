/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that come through a proxy. */
#include "server/http/req_internal.h"

#include <string.h>

static int count(struct req *r, struct err *e)
{
	struct httpd *h = r->loop->httpd;

	if (!httpd_peers_admit(h->peers, &r->from))
		return err_set(e, ERR_TOO_MANY, "%s has %u requests under way, as many as it may",
			r->client, httpd_settings_of(r->loop)->connections_per_address);
	r->counted = httpd_peers_add(h->peers, &r->from);
	return 0;
}

int req_proxied_read(struct req *r, const struct guard_header *headers, size_t n, struct err *e)
{
	struct forwarded f;
	struct network peer;
	int result;

	r->is_https = r->conn && r->conn->certificate;
	if (!r->conn || !r->conn->is_proxy)
		return 0;
	r->is_proxied = true;
	(void)network_of((const struct sockaddr *)&r->conn->peer, &peer);
	result = forwarded_read(&httpd_settings_of(r->loop)->forwarded, &peer, headers, n, &f, e);
	if (result < 0)
		return result;
	if (f.has_scheme)
		r->is_https = f.is_https;
	if (f.host.n > 0)
		r->facts.host = f.host;
	/* The proxy on its own account, as when it asks whether we are well. */
	if (forwarded_trusts(&httpd_settings_of(r->loop)->forwarded, &f.client))
		return 0;
	r->from = f.client;
	(void)network_text(&r->from, r->client);
	return count(r, e);
}

void req_proxied_done(struct req *r)
{
	if (r->counted)
		httpd_peers_remove(r->loop->httpd->peers, &r->from);
}
