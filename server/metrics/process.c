/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void write_head(const char *name, const char *type, const char *help, struct buf *out)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_gauge(const char *name, const char *help, uint64_t value, struct buf *out)
{
	write_head(name, "gauge", help, out);
	buf_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_cpu(struct buf *out)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) < 0)
		return;
	long micros = (long)use.ru_utime.tv_usec + (long)use.ru_stime.tv_usec;
	long seconds = (long)use.ru_utime.tv_sec + (long)use.ru_stime.tv_sec + micros / 1000000;
	write_head("process_cpu_seconds_total", "counter", "Processor time that was used.", out);
	buf_addf(out, "process_cpu_seconds_total %ld.%06ld\n", seconds, micros % 1000000);
}

static void write_memory(struct buf *out)
{
	FILE *f = fopen("/proc/self/statm", "re");
	uint64_t all, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!f)
		return;
	if (fscanf(f, "%" SCNu64 " %" SCNu64, &all, &resident) == 2) {
		write_gauge("process_virtual_memory_bytes", "Address space that is taken.",
			all * page, out);
		write_gauge("process_resident_memory_bytes", "Memory that is in use.",
			resident * page, out);
	}
	(void)fclose(f);
}

static void write_descriptors(struct buf *out)
{
	DIR *d = opendir("/proc/self/fd");
	struct rlimit most;
	uint64_t n = 0;

	if (d) {
		for (const struct dirent *entry; (entry = readdir(d));)
			n += entry->d_name[0] != '.';
		(void)closedir(d);
		/* But for the one that was just read. */
		write_gauge("process_open_fds", "Descriptors that are open.", n - 1, out);
	}
	if (getrlimit(RLIMIT_NOFILE, &most) == 0)
		write_gauge("process_max_fds", "Most descriptors that may be open.",
			(uint64_t)most.rlim_cur, out);
}

void process_write(struct buf *out)
{
	write_cpu(out);
	write_memory(out);
	write_descriptors(out);
}
