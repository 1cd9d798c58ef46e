/* SPDX-License-Identifier: Apache-2.0 */
#include "client/settings.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <sys/stat.h>

static struct settings s;
static struct fault f;

static const struct args none;

static int read_with(const char *const *env)
{
	return settings_read(&none, (char *const *)(uintptr_t)env, &s, &f);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(nothing_said_is_the_local_server_without_a_token)
{
	ck_assert_int_eq(read_with(ENV("HOME=/nowhere")), 0);
	ck_assert_str_eq(s.server, SETTINGS_SERVER);
	ck_assert_ptr_null(s.token);
	ck_assert_str_eq(s.path, "/nowhere/.config/modelctl/config");
	settings_done(&s);
}
END_TEST

START_TEST(a_relative_folder_of_configurations_counts_as_none)
{
	ck_assert_int_eq(read_with(ENV("HOME=/nowhere", "XDG_CONFIG_HOME=here")), 0);
	ck_assert_str_eq(s.path, "/nowhere/.config/modelctl/config");
	settings_done(&s);
	ck_assert_int_eq(read_with(ENV("XDG_CONFIG_HOME=/there")), 0);
	ck_assert_str_eq(s.path, "/there/modelctl/config");
	settings_done(&s);
}
END_TEST

static const struct {
	const char *url;
	const char *server; /* NULL: refused */
} servers[] = {
	{"http://a",		       "http://a"                     },
	{"https://a.example:8443/models/", "https://a.example:8443/models"},
	{"http://[::1]:8570//",            "http://[::1]:8570"            },
	{"a.example",		      NULL			   },
	{"http://user:secret@a",           NULL                           },
	{"http://a/?x=1",                  NULL                           },
	{"http://a#x",                     NULL			   },
	{"file:///etc/passwd",             NULL                           },
	{"",			       NULL			   },
};

START_TEST(a_server_is_an_address_of_http)
{
	char *server = NULL;
	int r = settings_server(servers[_i].url, &server, &f);

	if (servers[_i].server) {
		ck_assert_int_eq(r, 0);
		ck_assert_str_eq(server, servers[_i].server);
	} else {
		ck_assert_int_eq(r, -(int)ERR_BAD_PARAMETER);
		ck_assert_int_eq(fault_exit_of(&f), FAULT_USAGE);
	}
	free(server);
}
END_TEST

START_TEST(what_is_written_is_read_again_and_private)
{
	char home[4096];
	struct stat st;
	struct settings again = {.server = NULL};

	(void)snprintf(home, sizeof(home), "HOME=%s", unit_dir_path);
	ck_assert_int_eq(read_with(ENV(home)), 0);
	s.token = strdup("a.b-c");
	ck_assert_int_eq(settings_write(&s, &f), 0);
	ck_assert_int_eq(settings_write(&s, &f), 0);
	ck_assert_int_eq(stat(s.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	settings_done(&s);
	ck_assert_int_eq(read_with(ENV(home)), 0);
	ck_assert_str_eq(s.token, "a.b-c");
	settings_done(&s);
	settings_done(&again);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite_ = suite_create("settings");
	TCase *t = tcase_create("settings");

	tcase_add_checked_fixture(t, unit_dir_make, unit_dir_remove);
	tcase_add_test(t, nothing_said_is_the_local_server_without_a_token);
	tcase_add_test(t, a_relative_folder_of_configurations_counts_as_none);
	tcase_add_loop_test(t, a_server_is_an_address_of_http, 0, (int)ARRAY_SIZE(servers));
	tcase_add_test(t, what_is_written_is_read_again_and_private);
	suite_add_tcase(suite_, t);
	return suite_;
}

UNIT_MAIN
