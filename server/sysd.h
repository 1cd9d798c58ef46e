/* SPDX-License-Identifier: Apache-2.0 */
/* What modeld says to a service manager and gets from it: the only part that sees libsystemd.
 * Without it, or when nobody manages the daemon, the calls do nothing. */
#pragma once

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Requests are answered from now on. `status` is a line for `systemctl status`. */
void sysd_ready(const char *status);
void sysd_status(const char *status);
void sysd_stopping(void);

/* How long the manager's watchdog waits for a ping before it kills; 0: it does not. Ping twice in
 * that time. */
unsigned sysd_watchdog_interval_ms(void);
void sysd_watchdog_ping(void);

/* The sockets handed over, close-on-exec, and which of them are for TLS: those that the manager
 * calls "https" (FileDescriptorName=). *ret_n is 0 when there are none. Something else than
 * listening TCP sockets is ERR_CONFIG. The caller frees both lists and closes the sockets. Call
 * once, before there are threads: the variables are taken out of the environment. */
int sysd_sockets(int **ret_fds, bool **ret_secure, size_t *ret_n, struct err *e);
