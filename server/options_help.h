/* SPDX-License-Identifier: Apache-2.0 */
/* What --help and --version print. */
#pragma once

#include "common/base/buf.h"

#define OPTIONS_HELP_CONFIG MODELD_SYSCONFDIR "/modeld.conf" /* that is read, where none is named */

void options_help_print(struct buf *out);
void options_help_version(struct buf *out);
