/* SPDX-License-Identifier: Apache-2.0 */
/* `make regenerate` runs this: what is checked in but made from the table of options. */
#include "common/config/config.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1048576

int main(int argc, char **argv)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	bool man = argc == 2 && strcmp(argv[1], "man") == 0;

	if (!man && !(argc == 2 && strcmp(argv[1], "sample") == 0)) {
		(void)fputs("usage: generate sample|man\n", stderr);
		return 64;
	}
	if (man)
		config_print_man(&text);
	else
		config_print_sample(&text);
	(void)fputs(buf_str(&text), stdout);
	return buf_failed(&text) || fflush(stdout) != 0;
}
