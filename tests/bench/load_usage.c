/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load_usage.h"

#include <stdio.h>
#include <unistd.h>

bool load_usage_add(struct load_usage_server *s, pid_t pid)
{
	if (s->n == LOAD_USAGE_PIDS || clock_getcpuclockid(pid, &s->clocks[s->n]) != 0)
		return false;
	s->pids[s->n++] = pid;
	return true;
}

static bool clock_add(clockid_t id, uint64_t *sum)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		return false;
	*sum += (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	return true;
}

static bool read_busy(struct load_usage *u)
{
	FILE *f = fopen("/proc/stat", "re");
	char line[1024];

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long long user, nice, system, irq, softirq, steal;
		unsigned cpu;
		if (sscanf(line, "cpu%u %llu %llu %llu %*u %*u %llu %llu %llu", &cpu, &user, &nice,
			    &system, &irq, &softirq, &steal) != 7 ||
			cpu >= LOAD_USAGE_CPUS)
			continue;
		u->busy[cpu] = user + nice + system + irq + softirq + steal;
		u->cpus = cpu + 1;
	}
	(void)fclose(f);
	return u->cpus > 0;
}

bool load_usage_read(const struct load_usage_server *s, struct load_usage *ret)
{
	*ret = (struct load_usage){.server_ns = 0};
	for (size_t i = 0; i < s->n; i++)
		if (!clock_add(s->clocks[i], &ret->server_ns))
			return false;
	return clock_add(CLOCK_PROCESS_CPUTIME_ID, &ret->client_ns) && read_busy(ret);
}

bool load_usage_rss(const struct load_usage_server *s, uint64_t *ret_total, uint64_t *ret_own)
{
	uint64_t page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;

	*ret_total = *ret_own = 0;
	for (size_t i = 0; i < s->n; i++) {
		unsigned long long resident, shared;
		char path[64];
		FILE *f;
		int n;

		(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)s->pids[i]);
		f = fopen(path, "re");
		if (f == NULL)
			return false;
		n = fscanf(f, "%*u %llu %llu", &resident, &shared);
		(void)fclose(f);
		if (n != 2)
			return false;
		*ret_total += resident * page_kib;
		*ret_own += (resident - shared) * page_kib;
	}
	return true;
}
