/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ingest/ingest.h"
#include "common/base/num.h"

#include <assert.h>
#include <string.h>

struct ingest {
	struct blob_writer *writer; /* NULL once finished */
	struct ingest_budget *budget;
	char *what;
	uint64_t max_bytes;
	uint64_t bytes;
	struct err failure; /* ERR_NONE until the first one */
};

int ingest_open(struct blobs *blobs, const struct ingest_limits *limits,
	struct ingest_budget *budget, struct ingest **ret, struct err *e)
{
	CLEANUP(ingest_free_p) struct ingest *in = NULL;
	int r;

	if (budget->used_files >= budget->max_files)
		return err_set(e, ERR_TOO_LARGE, "%s is one file too many: the limit is %llu",
			limits->what, (unsigned long long)budget->max_files);
	in = calloc(1, sizeof(*in));
	if (!in)
		return err_nomem(e);
	in->budget = budget;
	in->max_bytes = limits->max_bytes;
	in->what = strdup(limits->what);
	if (!in->what)
		return err_nomem(e);
	r = blobs_create(blobs, &in->writer, e);
	if (r < 0)
		return r;
	budget->used_files++;
	*ret = take_ptr(in);
	return 0;
}

void ingest_free(struct ingest *in)
{
	if (!in)
		return;
	blob_writer_free(in->writer);
	free(in->what);
	free(in);
}

static int remember(struct ingest *in, int r, const struct err *e)
{
	if (r < 0)
		in->failure = *e;
	return r;
}

static int remembered(const struct ingest *in, struct err *e)
{
	if (in->failure.code != ERR_NONE)
		*e = in->failure;
	return -(int)in->failure.code;
}

static int charge(struct ingest *in, size_t n, struct err *e)
{
	struct ingest_budget *budget = in->budget;
	char max[NUM_SIZE_TEXT];

	if (n > in->max_bytes - in->bytes)
		return err_set(e, ERR_TOO_LARGE, "%s is larger than %s, the limit for one file",
			in->what, num_format_size(in->max_bytes, max));
	if (budget->used_bytes > budget->max_bytes || n > budget->max_bytes - budget->used_bytes)
		return err_set(e, ERR_TOO_LARGE,
			"with %s the files together are larger than %s, the limit", in->what,
			num_format_size(budget->max_bytes, max));
	in->bytes += n;
	budget->used_bytes += n;
	return 0;
}

int ingest_write(struct ingest *in, const void *bytes, size_t n, struct err *e)
{
	int r = remembered(in, e);

	if (r < 0)
		return r;
	assert(in->writer);
	r = charge(in, n, e);
	if (r == 0)
		r = blob_writer_write(in->writer, bytes, n, e);
	return remember(in, r, e);
}

const struct blob_writer *ingest_writer(const struct ingest *in)
{
	return in->writer;
}

int ingest_finish(struct ingest *in, struct blob_writer **ret, struct digest *ret_digest,
	uint64_t *ret_size, struct err *e)
{
	int r = remembered(in, e);

	if (r < 0)
		return r;
	assert(in->writer);
	r = blob_writer_finish(in->writer, ret_digest, ret_size, e);
	if (r == 0)
		*ret = take_ptr(in->writer);
	return remember(in, r, e);
}

int ingest_check_expansion(const char *what, uint64_t in, uint64_t out, unsigned max,
	struct err *e)
{
	uint64_t allowed;

	if (out <= INGEST_EXPANSION_FREE || !num_mul(in, max, &allowed) || out <= allowed)
		return 0;
	return err_set(e, ERR_TOO_LARGE, "%s unpacks to more than %u times its size, the limit",
		what, max);
}
