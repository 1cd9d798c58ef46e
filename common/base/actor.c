/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/actor.h"

#include <stddef.h>

static const struct actor nobody = {"", "", ""};
static _Thread_local const struct actor *now;

void actor_set(const struct actor *a)
{
	now = a;
}

void actor_clear(void)
{
	now = NULL;
}

const struct actor *actor_now(void)
{
	return now ? now : &nobody;
}
