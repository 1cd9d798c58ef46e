/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sysd.h"

#ifdef HAVE_SYSTEMD

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

bool sysd_listens(void)
{
	const char *socket = getenv("NOTIFY_SOCKET");

	return socket && socket[0];
}

/* Nothing can be done about a manager that does not listen, and serving does not depend on it. */
void sysd_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void sysd_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%s", status);
}

/* The time tells a manager of Type=notify-reload that this is the answer to its signal: one from
 * before it, be it by a microsecond, is not (systemd.service(5)). */
void sysd_reloading(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)t.tv_sec * 1000000 + (unsigned long long)t.tv_nsec / 1000);
}

void sysd_stopping(const char *status)
{
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void sysd_extend(unsigned ms)
{
	(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);
}

unsigned sysd_watchdog_interval_ms(void)
{
	uint64_t micros;

	if (sd_watchdog_enabled(0, &micros) <= 0)
		return 0;
	if (micros < 1000)
		return 1;
	return micros / 1000 > UINT_MAX ? UINT_MAX : (unsigned)(micros / 1000);
}

void sysd_watchdog_ping(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

static bool is_listening_tcp(int fd)
{
	return sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
		sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;
}

static void free_names(char ***names)
{
	for (size_t i = 0; *names && (*names)[i]; i++)
		free((*names)[i]);
	free(*names);
}

int sysd_sockets(int **ret_fds, bool **ret_secure, size_t *ret_n, struct err *e)
{
	CLEANUP_FREE int *fds = NULL;
	CLEANUP_FREE bool *secure = NULL;
	CLEANUP(free_names) char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	if (n < 0)
		return err_set(e, ERR_CONFIG, "LISTEN_FDS and LISTEN_PID make no sense");
	if (n > 0) {
		fds = calloc((size_t)n, sizeof(*fds));
		secure = calloc((size_t)n, sizeof(*secure));
		if (!fds || !secure)
			return err_nomem(e);
	}
	for (int i = 0; i < n; i++) {
		fds[i] = SD_LISTEN_FDS_START + i;
		secure[i] = names && strcmp(names[i], "https") == 0;
		if (!is_listening_tcp(fds[i]))
			return err_set(e, ERR_CONFIG,
				"descriptor %d of the service manager is no listening TCP socket",
				fds[i]);
	}
	*ret_fds = take_ptr(fds);
	*ret_secure = take_ptr(secure);
	*ret_n = (size_t)n;
	return 0;
}

#else

bool sysd_listens(void)
{
	return false;
}

void sysd_ready(const char *status)
{
	(void)status;
}

void sysd_status(const char *status)
{
	(void)status;
}

void sysd_reloading(void)
{
}

void sysd_stopping(const char *status)
{
	(void)status;
}

void sysd_extend(unsigned ms)
{
	(void)ms;
}

unsigned sysd_watchdog_interval_ms(void)
{
	return 0;
}

void sysd_watchdog_ping(void)
{
}

int sysd_sockets(int **ret_fds, bool **ret_secure, size_t *ret_n, struct err *e)
{
	(void)e;
	*ret_fds = NULL;
	*ret_secure = NULL;
	*ret_n = 0;
	return 0;
}

#endif
