/* SPDX-License-Identifier: Apache-2.0 */
/* On whose behalf this thread works, for what is written down of a change. It is said once, where
 * that is known, instead of by every function on the way. */
#pragma once

struct actor {
	const char *who; /* a token's name and id, a user of this machine, part of the daemon */
	const char *address; /* of a client; "" */
	const char *request; /* the id of a request or a job; "" */
};

/* Until actor_clear(), on this thread; `a` and its texts stay valid until then. */
void actor_set(const struct actor *a);
void actor_clear(void);
/* Never NULL; its texts are "" where nobody was set. */
const struct actor *actor_now(void);
