/* SPDX-License-Identifier: Apache-2.0 */
#include "client/args.h"
#include "common/base/fsio.h"
#include "tests/unit/unit.h"

#include <fcntl.h>

#define ARGS_MAX 16
#define TEXT_MAX 1048576

static struct args a;
static struct fault f;

static int parse(const char *const *words)
{
	const char *argv[ARGS_MAX + 1] = {"modelctl"};
	int argc = 1;

	for (; words[argc - 1] && argc < ARGS_MAX; argc++)
		argv[argc] = words[argc - 1];
	return args_read(argc, (char **)(uintptr_t)argv, &a, &f);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(options_stand_anywhere_and_the_last_one_counts)
{
	ck_assert_int_eq(parse(WORDS("--server", "a", "label", "-q", "set", "n", "--server=b",
				 "l")),
		0);
	ck_assert_int_eq(a.wish, ARGS_RUN);
	ck_assert_int_eq(a.command, USAGE_CMD_label_set);
	ck_assert_str_eq(args_value(&a, USAGE_SERVER), "b");
	ck_assert(args_has(&a, USAGE_QUIET));
	ck_assert(!args_has(&a, USAGE_JSON));
	ck_assert_uint_eq(a.operands_n, 2);
	ck_assert_str_eq(a.operands[1], "l");
	args_done(&a);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	ck_assert_int_eq(parse(WORDS("ls", "--", "--help")), 0);
	ck_assert_int_eq(a.wish, ARGS_RUN);
	ck_assert_str_eq(a.operands[0], "--help");
	args_done(&a);
}
END_TEST

START_TEST(clusters_of_letters_are_as_many_options)
{
	ck_assert_int_eq(parse(WORDS("ls", "-qqqqqqqqqqqqqqqqqqqqqqqq")), 0);
	ck_assert_uint_eq(a.given_n, 24);
	args_done(&a);
}
END_TEST

START_TEST(help_needs_no_operands)
{
	ck_assert_int_eq(parse(WORDS("show", "-h")), 0);
	ck_assert_int_eq(a.wish, ARGS_HELP_COMMAND);
	ck_assert_int_eq(a.command, USAGE_CMD_show);
	args_done(&a);
}
END_TEST

START_TEST(list_is_taken_for_ls)
{
	ck_assert_int_eq(parse(WORDS("token", "list")), 0);
	ck_assert_int_eq(a.command, USAGE_CMD_token_ls);
	ck_assert_uint_eq(a.operands_n, 0);
	args_done(&a);
	ck_assert_int_eq(parse(WORDS("label", "ls", "list")), 0);
	ck_assert_int_eq(a.command, USAGE_CMD_label_ls);
	ck_assert_str_eq(a.operands[0], "list");
	args_done(&a);
}
END_TEST

static char *checked_in(const char *path)
{
	char full[4096], *text;
	size_t n;

	(void)snprintf(full, sizeof(full), "%s/%s", TEST_SRCDIR, path);
	ck_assert_int_eq(fsio_read_file(AT_FDCWD, full, TEXT_MAX, &text, &n, &f.e), 0);
	return text;
}

START_TEST(the_manual_is_made_from_the_tables)
{
	CLEANUP_BUF struct buf made = BUF_INIT(TEXT_MAX);
	CLEANUP_FREE char *page = checked_in("man/modelctl.1");

	buf_add_str(&made, ".\\\" USAGE BEGIN\n");
	usage_man(&made);
	buf_add_str(&made, ".\\\" USAGE END\n");
	ck_assert_msg(strstr(page, buf_str(&made)) != NULL, "run `make regenerate`");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("args");
	TCase *t = tcase_create("args");

	tcase_add_test(t, options_stand_anywhere_and_the_last_one_counts);
	tcase_add_test(t, two_dashes_end_the_options);
	tcase_add_test(t, clusters_of_letters_are_as_many_options);
	tcase_add_test(t, help_needs_no_operands);
	tcase_add_test(t, list_is_taken_for_ls);
	tcase_add_test(t, the_manual_is_made_from_the_tables);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
