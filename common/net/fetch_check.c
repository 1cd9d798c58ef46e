/* SPDX-License-Identifier: Apache-2.0 */
/* Which request headers somebody else may choose. */
#include "common/net/fetch.h"

/* What decides where a request goes, how it is framed, or what may come back; and what belongs to a
 * connection (RFC 9110 7.6.1). "X-" stands for all that begin so. */
static const char *const ours[] = {"Host", "Range", "If-", "Accept-Encoding", "Connection",
	"Keep-Alive", "Content-Length", "Content-Encoding", "Transfer-Encoding", "TE", "Trailer",
	"Upgrade", "HTTP2-Settings", "Proxy-", "Expect", "Max-Forwards", "Via", "Forwarded",
	"X-Forwarded-", "X-HTTP-Method", "Cookie2", ":"};

static bool is_ours(struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		size_t n = strlen(ours[i]);
		bool front = ours[i][n - 1] == '-' || strcmp(ours[i], "X-HTTP-Method") == 0;
		if (name.n < n || (name.n > n && !front))
			continue;
		if (str_eq_nocase((struct str){name.p, n}, ours[i]))
			return true;
	}
	return false;
}

int fetch_check_header(struct str name, struct str value, struct err *e)
{
	if (!str_is_token(name) || name.n > 128)
		return err_set(e, ERR_BAD_REQUEST, "a request header has a name that is none");
	if (is_ours(name))
		return err_set(e, ERR_BAD_REQUEST,
			"the request header " STR_FMT " cannot be chosen", STR_ARG(name));
	if (value.n > FETCH_HEADER_MAX)
		return err_set(e, ERR_BAD_REQUEST,
			"the request header " STR_FMT " has more than %u bytes", STR_ARG(name),
			FETCH_HEADER_MAX);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return err_set(e, ERR_BAD_REQUEST,
				"the request header " STR_FMT " has a control character",
				STR_ARG(name));
	}
	return 0;
}
