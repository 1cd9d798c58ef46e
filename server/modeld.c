/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's main: everything else stands below it. */
#include "common/base/log.h"

int main(void)
{
	log_event(LOG_LEVEL_INFO, "nothing to serve yet", NULL);
	return 0;
}
