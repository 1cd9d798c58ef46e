/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: read the configuration anew and put it in force, all of it or nothing.
 *
 * Whatever can fail comes first: the files, the environment and the command line of the start are
 * read and judged as at a start, and each part makes what it will go by of them. Then the parts
 * take that over one after the other, which cannot fail. How threads read it while it changes is
 * told in common/base/snapshot.h. Keys that take a restart keep the values of the start, and a
 * warning names those that differ. */
#pragma once

#include "server/daemon.h"

/* What main() got; options point into it. */
struct reload_source {
	int argc;
	char **argv;
	char *const *env;
};

/* It was started with the configuration that is in force: the metrics say so. */
void reload_note_start(void);
/* Reload, and tell of it in the log, the metrics and /readyz. Reads tokens and certificates anew,
 * too. Blocks on the disk, and until all loops go by the new settings. */
void reload_run(struct daemon *d, const struct reload_source *from);
