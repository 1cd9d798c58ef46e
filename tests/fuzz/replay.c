/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds a fuzz target its corpus, without libFuzzer: each file as it is, cut short, and damaged.
 *
 * fuzz_<name> without arguments reads $srcdir/tests/fuzz/corpus/<name>; else its arguments are
 * files and folders. What it makes of a file depends on nothing but the file and $REPLAY_SEED, and
 * when the target dies the last input is named, so a failure can be repeated.
 */
#include "tests/fuzz/fuzz.h"

#include "common/base/fsio.h"
#include "common/base/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CUTS_MAX      256
#define DAMAGES       1000
#define PATH_TEXT_MAX 4096
#define FILE_MAX      (16 * MIB)
#define BYTES_MAX     (8 * MIB) /* fed for one file: a large seed is varied less often */

static struct {
	char file[PATH_TEXT_MAX];
	const char *how;
	size_t which;
} current;

static uint64_t random_state;
static size_t inputs_fed;

static void random_start(void)
{
	const char *seed = getenv("REPLAY_SEED");

	random_state = seed ? strtoull(seed, NULL, 10) | 1 : UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void name_current(void)
{
	(void)fprintf(stderr, "replay: the last input was %s, %s %zu\n", current.file, current.how,
		current.which);
}

static void on_abort(int sig)
{
	(void)sig;
	name_current();
}

/* Only sanitizer run times have it. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void name_input_on_death(void)
{
	struct sigaction action = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};

	(void)sigaction(SIGABRT, &action, NULL);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(name_current);
}

/* From an allocation of just that size, so that a sanitizer sees the first byte read too many. */
static void feed(const char *bytes, size_t n, const char *how, size_t which)
{
	uint8_t *exact = malloc(n);

	if (!exact && n > 0)
		abort();
	if (n > 0)
		memcpy(exact, bytes, n);
	current.how = how;
	current.which = which;
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	inputs_fed++;
}

static void feed_cuts(const char *bytes, size_t n, size_t max)
{
	size_t step = n / max + 1;

	for (size_t at = 0; at < n; at += step)
		feed(bytes, at, "cut to", at);
}

/* One to four changes: a bit, a byte that syntaxes care for, a piece moved over another. */
static void damage(char *bytes, size_t n)
{
	static const char telling[] = "\0\n\r\t \"\\/{}[],:;-=%@.0\x7f\x80\xff";

	for (uint64_t changes = 1 + random_next() % 4; changes > 0; changes--) {
		size_t at = random_next() % n;
		size_t from = random_next() % n;
		size_t room = n - (at > from ? at : from);

		switch (random_next() % 3) {
		case 0:
			bytes[at] = (char)((unsigned char)bytes[at] ^ 1u << random_next() % 8);
			break;
		case 1:
			bytes[at] = telling[random_next() % (sizeof(telling) - 1)];
			break;
		default:
			memmove(bytes + at, bytes + from, 1 + random_next() % room);
		}
	}
}

static void feed_damaged(const char *bytes, size_t n, size_t times)
{
	CLEANUP_FREE char *copy = malloc(n);

	if (!copy)
		abort();
	for (size_t i = 0; i < times; i++) {
		memcpy(copy, bytes, n);
		damage(copy, n);
		feed(copy, n, "damage", i);
	}
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int replay_file(const char *path)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t n;
	struct err e;

	if (fsio_read_file(AT_FDCWD, path, FILE_MAX, &bytes, &n, &e) < 0) {
		(void)fprintf(stderr, "replay: %s\n", e.text);
		return -1;
	}
	(void)snprintf(current.file, sizeof(current.file), "%s", path);
	random_start();
	feed(bytes, n, "whole", n);
	if (n == 0)
		return 0;
	feed_cuts(bytes, n, at_most(CUTS_MAX, BYTES_MAX / n + 1));
	feed_damaged(bytes, n, at_most(DAMAGES, BYTES_MAX / n + 1));
	return 0;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
	char path[PATH_TEXT_MAX];
	struct dirent **entries;
	int n = scandir(folder, &entries, not_hidden, alphasort);
	int r = n > 0 ? 0 : -1;

	if (n <= 0)
		(void)fprintf(stderr, "replay: %s: no corpus\n", folder);
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);

		if (len < 0 || (size_t)len >= sizeof(path) || replay_file(path) < 0)
			r = -1;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}

static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return replay_file(path);
	return replay_folder(path);
}

/* .../fuzz_json -> $srcdir/tests/fuzz/corpus/json */
static int replay_own_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(program, '/');
	char folder[PATH_TEXT_MAX];

	name = name ? name + 1 : program;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	(void)snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
		name);
	return replay_folder(folder);
}

int main(int argc, char **argv)
{
	int r = 0;

	name_input_on_death();
	if (argc < 2)
		r = replay_own_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) < 0)
			r = -1;
	(void)printf("%zu inputs\n", inputs_fed);
	return r == 0 ? 0 : 1;
}
