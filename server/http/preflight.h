/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to OPTIONS, which is nearly always a CORS preflight. */
#pragma once

#include "server/http/reply.h"

/* `methods` are the router_methods of the path, 0 when it is unknown: Allow names them, if there
 * are any. A page that may not write is granted GET and HEAD alone. NULL without memory. */
struct reply *preflight_reply(unsigned methods, bool may_write);
