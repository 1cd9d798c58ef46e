/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/archive.h"

#include <string.h>

/* POSIX.1-2017 pax, "ustar Interchange Format": the sum of the header's bytes with those of this
 * field taken for spaces; older formats have it at the same place. */
#define TAR_HEAD   512
#define TAR_SUM_AT 148
#define TAR_SUM_N  8

static bool parse_octal(const uint8_t *p, size_t n, unsigned *ret)
{
	size_t i = 0;

	*ret = 0;
	while (i < n && p[i] == ' ')
		i++;
	if (i == n || p[i] < '0' || p[i] > '7')
		return false;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*ret = *ret * 8 + (unsigned)(p[i] - '0');
	return i == n || p[i] == ' ' || p[i] == '\0';
}

static bool is_tar(const uint8_t *start, size_t n)
{
	unsigned want, sum = TAR_SUM_N * ' ';

	if (n < TAR_HEAD || !parse_octal(start + TAR_SUM_AT, TAR_SUM_N, &want))
		return false;
	for (size_t i = 0; i < TAR_HEAD; i++)
		if (i < TAR_SUM_AT || i >= TAR_SUM_AT + TAR_SUM_N)
			sum += start[i];
	return sum == want;
}

static bool begins(const uint8_t *start, size_t n, const char *magic, size_t magic_n)
{
	return n >= magic_n && memcmp(start, magic, magic_n) == 0;
}

bool archive_sniff(const uint8_t *start, size_t n, enum archive_kind *ret)
{
	if (begins(start, n, "\x1F\x8B", 2)) /* RFC 1952 2.3.1 */
		*ret = ARCHIVE_KIND_TAR_GZ;
	else if (begins(start, n, "PK\3\4", 4) || begins(start, n, "PK\5\6", 4))
		*ret = ARCHIVE_KIND_ZIP;
	else if (is_tar(start, n))
		*ret = ARCHIVE_KIND_TAR;
	else
		return false;
	return true;
}
