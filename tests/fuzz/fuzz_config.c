/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file. What is accepted prints as a file that is accepted and prints the same. */
#include "common/config/config.h"
#include "common/base/fsio.h"
#include "common/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>

#define INPUT_MAX 16384
#define TEXT_MAX  1048576

/* A path to a file of memory that holds these bytes; `fd` keeps it. */
static int store(const void *bytes, size_t n, int *ret_fd, char path[64])
{
	struct err e;

	*ret_fd = memfd_create("modeld.conf", MFD_CLOEXEC);
	if (*ret_fd < 0)
		return -1;
	(void)snprintf(path, 64, "/proc/self/fd/%d", *ret_fd);
	return fsio_write_all(*ret_fd, bytes, n, path, &e);
}

/* The settings alone: what is printed of origins and files differs from one reading to the next. */
static void print_settings(const struct config *c, struct buf *out)
{
	CLEANUP_BUF struct buf all = BUF_INIT(TEXT_MAX);
	struct str rest, line;

	config_print(c, &all);
	rest = str_of(buf_str(&all));
	while (str_split(&rest, '\n', &line))
		if (!str_starts(line, "#"))
			buf_addf(out, STR_FMT "\n", STR_ARG(line));
}

static bool read_settings(const void *bytes, size_t n, struct buf *out)
{
	CLEANUP_FD int fd = -1;
	struct config c;
	char path[64];
	struct err e;
	bool good;

	if (store(bytes, n, &fd, path) < 0 || config_init(&c, &e) < 0)
		return false;
	good = config_load_file(&c, path, &e) == 0;
	if (good)
		print_settings(&c, out);
	config_done(&c);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf once = BUF_INIT(TEXT_MAX), twice = BUF_INIT(TEXT_MAX);

	if (size > INPUT_MAX || !read_settings(data, size, &once))
		return 0;
	if (!read_settings(buf_str(&once), once.len, &twice))
		abort();
	if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
	return 0;
}
