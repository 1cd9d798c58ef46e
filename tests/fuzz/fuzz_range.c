/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a decimal size and LF, then the value of Range, LF, and the value of a condition. A part
 * lies within the representation, and conditions do not contradict each other. */
#include "tests/fuzz/fuzz.h"

#include "common/base/num.h"
#include "common/base/str.h"
#include "server/http/cond.h"
#include "server/http/range.h"

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_range(const char *header, uint64_t size)
{
	uint64_t start, length;

	if (range_parse(header, size, &start, &length) != RANGE_PART)
		return;
	demand(length > 0 && length <= size && start <= size - length);
}

static void check_condition(const char *value)
{
	static const struct cond_current now = {"\"a\"", 784111777000};
	struct cond_request match = {.if_match = value}, none_match = {.if_none_match = value};
	struct cond_request since = {.if_modified_since = value, .is_get_or_head = true};
	struct cond_request range = {.if_range = value};

	/* What matches strongly matches weakly as well. */
	if (cond_judge(&match, &now) == COND_PROCEED)
		demand(cond_judge(&none_match, &now) == COND_FAILED);
	demand(cond_judge(&since, &now) != COND_FAILED);
	/* What If-Range takes for the current representation is no change for the others. */
	if (cond_range_applies(&range, &now))
		demand(cond_judge(&match, &now) == COND_PROCEED ||
			cond_judge(&since, &now) == COND_NOT_MODIFIED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, size_text, range_text;
	uint64_t total;

	if (size == 0 || !str_split(&rest, '\n', &size_text) ||
		!str_split(&rest, '\n', &range_text))
		return 0;
	if (!num_parse(size_text.p, size_text.n, UINT64_MAX, &total))
		return 0;
	CLEANUP_FREE char *range = str_dup(range_text);
	CLEANUP_FREE char *condition = str_dup(rest);
	if (!range || !condition)
		return 0;
	check_range(range, total);
	check_condition(condition);
	return 0;
}
