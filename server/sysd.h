/* SPDX-License-Identifier: Apache-2.0 */
/* What modeld says to a service manager and gets from it: the only part that sees libsystemd.
 * Without it, or when nobody manages the daemon, the calls do nothing. */
#pragma once

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Is there somebody to tell? */
bool sysd_listens(void);

/* Requests are answered from now on, or the reload is over. `status` is a line for `systemctl
 * status`. */
void sysd_ready(const char *status);
void sysd_status(const char *status);
/* A reload begins; sysd_ready() ends it, whatever came of it. */
void sysd_reloading(void);
void sysd_stopping(const char *status);
/* What is under way, a start or a stop, takes so long from now on: it is no reason to kill. Sent
 * anew before that is over, while it goes on. */
void sysd_extend(unsigned ms);

/* How long the manager's watchdog waits for a ping before it kills; 0: it does not. Ping twice in
 * that time. */
unsigned sysd_watchdog_interval_ms(void);
void sysd_watchdog_ping(void);

/* The sockets handed over, close-on-exec, and which of them are for TLS: those that the manager
 * calls "https" (FileDescriptorName=). *ret_n is 0 when there are none. Something else than
 * listening TCP sockets is ERR_CONFIG. The caller frees both lists and closes the sockets. Call
 * once, before there are threads: the variables are taken out of the environment. */
int sysd_sockets(int **ret_fds, bool **ret_secure, size_t *ret_n, struct err *e);
