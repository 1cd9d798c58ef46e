/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts for shells that complete the command line, made from the tables. Pure. */
#pragma once

#include "client/usage.h"

void completion_bash(struct buf *out);
void completion_zsh(struct buf *out);
void completion_fish(struct buf *out);
