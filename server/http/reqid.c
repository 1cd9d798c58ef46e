/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reqid.h"

/* 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
#define VERSION_N   2
#define TRACE_AT    3
#define PARENT_AT   36
#define PARENT_N    16
#define FLAGS_AT    53
#define FLAGS_N     2
#define PARENT_END  55

static bool is_id_char(char c)
{
	return str_is_lower(c) || str_is_upper(c) || str_is_digit(c) ||
		(c != '\0' && strchr("-._:+/=@", c));
}

bool reqid_is_sane(struct str id)
{
	if (id.n == 0 || id.n > REQID_MAX || str_starts(id, "mdl_") || str_starts(id, "mdk_"))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!is_id_char(id.p[i]))
			return false;
	return true;
}

static bool is_lower_hex(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!str_is_digit(p[i]) && (p[i] < 'a' || p[i] > 'f'))
			return false;
	return true;
}

/* An id; all zeros stand for none. */
static bool is_id(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '0')
			return is_lower_hex(p, n);
	return false;
}

/* Later versions may go on behind another dash (4.3 there). */
static bool has_known_length(struct str t)
{
	if (t.n == PARENT_END)
		return true;
	return t.n > PARENT_END && t.p[PARENT_END] == '-' && !str_starts(t, "00");
}

bool reqid_trace(struct str t, char ret[REQID_TRACE + 1])
{
	if (!has_known_length(t) || !is_lower_hex(t.p, VERSION_N) || str_starts(t, "ff"))
		return false;
	if (t.p[TRACE_AT - 1] != '-' || t.p[PARENT_AT - 1] != '-' || t.p[FLAGS_AT - 1] != '-')
		return false;
	if (!is_id(t.p + TRACE_AT, REQID_TRACE) || !is_id(t.p + PARENT_AT, PARENT_N) ||
		!is_lower_hex(t.p + FLAGS_AT, FLAGS_N))
		return false;
	memcpy(ret, t.p + TRACE_AT, REQID_TRACE);
	ret[REQID_TRACE] = '\0';
	return true;
}
