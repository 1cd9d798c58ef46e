/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_retry.h"

static uint64_t bound(unsigned failures)
{
	uint64_t ms = IMPORT_RETRY_FIRST_MS;

	for (unsigned i = 1; i < failures && ms < IMPORT_RETRY_MOST_MS; i++)
		ms *= 2;
	return ms < IMPORT_RETRY_MOST_MS ? ms : IMPORT_RETRY_MOST_MS;
}

uint64_t import_retry_wait(unsigned failures, uint64_t after_ms, uint64_t random)
{
	uint64_t asked = after_ms < IMPORT_RETRY_AFTER_MS ? after_ms : IMPORT_RETRY_AFTER_MS;

	/* Those who were told the same time are spread behind it. */
	return asked + random % (bound(failures) + 1);
}
