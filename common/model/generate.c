/* SPDX-License-Identifier: Apache-2.0 */
/* `make regenerate` runs this: the part of modeld-rules(7) that is made from the table of rules. */
#include "common/model/finding_print.h"

#include <stdio.h>

#define TEXT_MAX 1048576

int main(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	finding_print_man(&text);
	(void)fputs(buf_str(&text), stdout);
	return buf_failed(&text) || fflush(stdout) != 0;
}
