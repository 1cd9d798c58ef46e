/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test starts with. A test program defines `static Suite *suite(void)` and ends
 * with UNIT_MAIN. Tests run forked, each in a directory of its own that is removed after
 * (unit_dir()). */
#pragma once

#include "common/base/err.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* The call succeeded; else the test fails with its sentence. */
#define ck_ok(call) \
	do { \
		int unit_r_ = (call); \
		ck_assert_msg(unit_r_ == 0, "%s: %d: %s", #call, unit_r_, e.text); \
	} while (0)

/* The call failed with this code. */
#define ck_err(call, want) \
	do { \
		int unit_r_ = (call); \
		ck_assert_msg(unit_r_ == -(int)(want) && e.code == (want), \
			"%s: %d %s (%s), not %s", #call, unit_r_, \
			err_name(unit_r_ < 0 ? e.code : ERR_NONE), unit_r_ < 0 ? e.text : "", \
			err_name(want)); \
	} while (0)

#define UNIT_MAIN \
	int main(void) \
	{ \
		SRunner *runner = srunner_create(suite()); \
		srunner_run_all(runner, CK_ENV); \
		int failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed == 0 ? 0 : 1; \
	}
