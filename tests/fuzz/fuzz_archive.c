/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte that chooses the kind, then an archive. What comes out is in order, within the
 * limits, and the same again. */
#include "tests/fuzz/fuzz.h"

#include "common/base/num.h"
#include "common/ingest/archive.h"
#include "common/ingest/ingest.h"

#define ENTRIES_MAX   50
#define EXPANSION_MAX 100
#define BYTES_MAX     (8 * MIB) /* for the fuzzer's pace */

struct seen {
	uint64_t files, bytes;
	uint64_t hash; /* of all that came */
	bool inside;
};

static void mix(struct seen *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ p[i]) * UINT64_C(1099511628211);
}

static int on_begin(void *cls, struct str name, struct err *e)
{
	struct seen *s = cls;

	(void)e;
	if (s->inside || name.n == 0 || ++s->files > ENTRIES_MAX)
		abort();
	mix(s, name.p, name.n);
	s->inside = true;
	return 0;
}

static int on_data(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct seen *s = cls;

	if (!s->inside || n == 0)
		abort();
	mix(s, bytes, n);
	s->bytes += n;
	return s->bytes > BYTES_MAX ? err_set(e, ERR_TOO_LARGE, "enough") : 0;
}

static int on_end(void *cls, struct err *e)
{
	struct seen *s = cls;

	(void)e;
	if (!s->inside)
		abort();
	s->inside = false;
	return 0;
}

static int on_read(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	const struct str *in = cls;

	(void)e;
	if (n == 0 || at > in->n || n > in->n - at)
		abort();
	memcpy(to, in->p + at, n);
	return 0;
}

static int unpack(enum archive_kind kind, const uint8_t *bytes, size_t n, struct seen *s)
{
	static const struct archive_files files = {on_begin, on_data, on_end};
	const struct archive_limits limits = {ENTRIES_MAX, EXPANSION_MAX};
	struct str in = {(const char *)bytes, n};
	const struct archive_source source = {.n = n, .read = on_read, .cls = &in};
	struct err e = {.code = ERR_NONE};
	int r = archive_unpack(kind, &source, &limits, &files, s, &e);

	if (r > 0 || (r < 0 && (e.code != (enum err_code) - r || !e.text[0])) ||
		(r == 0 && s->inside))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen first = {.files = 0}, again = {.files = 0};

	if (size == 0)
		return 0;
	enum archive_kind kind = (enum archive_kind)(data[0] % 3);
	int r1 = unpack(kind, data + 1, size - 1, &first);
	int r2 = unpack(kind, data + 1, size - 1, &again);
	if (r1 != r2 || first.files != again.files || first.bytes != again.bytes ||
		first.hash != again.hash)
		abort();
	return 0;
}
