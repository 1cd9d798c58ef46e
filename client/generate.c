/* SPDX-License-Identifier: Apache-2.0 */
/* `make regenerate` runs this: the part of modelctl(1) that is made from the tables. */
#include "client/usage.h"

#include <stdio.h>

#define TEXT_MAX 1048576

int main(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	usage_man(&text);
	(void)fputs(buf_str(&text), stdout);
	return buf_failed(&text) || fflush(stdout) != 0;
}
