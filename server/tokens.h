/* SPDX-License-Identifier: Apache-2.0 */
/* modeld token: make, list and revoke tokens, beside a running daemon too. */
#pragma once

#include "server/options.h"

int tokens_run(const struct options *o, struct err *e);
