/* SPDX-License-Identifier: Apache-2.0 */
/* Validates a model.json as a publish does, its weights aside, and prints one line: milliseconds
 * of reading the JSON and the manifest, milliseconds of judging the topology, MiB of heap at the
 * end of that, MiB by which the process grew at its largest, findings, and the first rule. */
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/model/artifact.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* Of processor time, which other work on the machine does not lengthen as it does waiting. */
static double used_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double heap_mib(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd) / MIB;
}

static double peak_mib(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss / 1024;
}

static int validate(const char *bytes, size_t n, struct err *e)
{
	CLEANUP(modeljson_free_p) struct modeljson *m = NULL;
	CLEANUP(artifact_free_p) struct artifact *a = NULL;
	CLEANUP_FINDINGS struct findings f;
	double heap = heap_mib(), peak = peak_mib(), start = used_ms(), parsed, judged;
	int r;

	findings_init(&f);
	r = modeljson_parse(bytes, n, &m, &f, e);
	parsed = used_ms();
	if (r == 0 && m)
		r = artifact_read(m, &a, &f, e);
	judged = used_ms();
	if (r < 0)
		return r;
	(void)printf("%.3f %.3f %.1f %.1f %zu %s\n", parsed - start, judged - parsed,
		heap_mib() - heap, peak_mib() - peak, f.n, f.n > 0 ? f.items[0].rule : "-");
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP_FREE char *bytes = NULL;
	struct err e;
	size_t n;
	int r;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: bench_validate MODEL.JSON\n");
		return 2;
	}
	r = fsio_read_file(AT_FDCWD, argv[1], 64 * MIB, &bytes, &n, &e);
	if (r == 0)
		r = validate(bytes, n, &e);
	if (r < 0)
		(void)fprintf(stderr, "bench_validate: %s\n", e.text);
	return r < 0 ? 1 : 0;
}
