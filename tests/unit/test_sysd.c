/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sysd.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static struct err e;

#ifdef HAVE_SYSTEMD

static int manager = -1; /* the other end of NOTIFY_SOCKET */

static void set_up(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t n;
	int length;

	length = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "modeld-%ld", (long)getpid());
	n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(manager, (const struct sockaddr *)&a, n), 0);
	a.sun_path[0] = '@';
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
}

static void tear_down(void)
{
	ck_assert_int_eq(close(manager), 0);
}

static void expect(const char *message)
{
	char text[256];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, message);
}

START_TEST(the_manager_hears_of_every_step)
{
	sysd_ready("serving http://127.0.0.1:8570");
	expect("READY=1\nSTATUS=serving http://127.0.0.1:8570");
	sysd_status("3 requests");
	expect("STATUS=3 requests");
	sysd_watchdog_ping();
	expect("WATCHDOG=1");
	sysd_extend(15000);
	expect("EXTEND_TIMEOUT_USEC=15000000");
	sysd_stopping("Stopping");
	expect("STOPPING=1\nSTATUS=Stopping");
	ck_assert(sysd_listens());
}
END_TEST

static unsigned long long now_usec(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (unsigned long long)t.tv_sec * 1000000 + (unsigned long long)t.tv_nsec / 1000;
}

START_TEST(a_reload_begins_when_it_says_so)
{
	unsigned long long before = now_usec(), told;
	char text[256];
	ssize_t n;

	sysd_reloading();
	n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &told), 1);
	ck_assert_uint_le(before, told);
	ck_assert_uint_le(told, now_usec());
}
END_TEST

START_TEST(the_watchdog_is_heard_when_it_is_meant_for_us)
{
	char pid[32];

	ck_assert_uint_eq(sysd_watchdog_interval_ms(), 0);
	ck_assert_int_eq(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	ck_assert_uint_eq(sysd_watchdog_interval_ms(), 30000);
	ck_assert_int_eq(setenv("WATCHDOG_PID", "1", 1), 0);
	ck_assert_uint_eq(sysd_watchdog_interval_ms(), 0);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	ck_assert_int_eq(setenv("WATCHDOG_PID", pid, 1), 0);
	ck_assert_int_eq(setenv("WATCHDOG_USEC", "1", 1), 0);
	ck_assert_uint_eq(sysd_watchdog_interval_ms(), 1);
}
END_TEST

static int tcp_socket(bool listening)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* What a daemon does that is started with two descriptors and LISTEN_FDS=`count`: exit status. */
static int start_with(int first, int second, const char *count)
{
	char pid[32];
	int *fds = NULL;
	bool *secure = NULL;
	size_t n;

	/* From above, so that neither stands where the other goes. */
	first = fcntl(first, F_DUPFD, 32);
	second = fcntl(second, F_DUPFD, 32);
	if (dup2(first, 3) != 3 || dup2(second, 4) != 4)
		return 2;
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", count, 1) < 0 ||
		setenv("LISTEN_FDNAMES", "http:https", 1) < 0)
		return 3;
	if (sysd_sockets(&fds, &secure, &n, &e) < 0)
		return strstr(e.text, "descriptor 4 of") ? 10 : 11;
	if (n != 2 || fds[0] != 3 || fds[1] != 4 || getenv("LISTEN_FDS"))
		return 4;
	if (secure[0] || !secure[1])
		return 6;
	return fcntl(4, F_GETFD) == FD_CLOEXEC ? 0 : 5;
}

/* In a process of its own: those descriptors are in use here. */
static int start(int first, int second, const char *count)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(start_with(first, second, count));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Those called https are for TLS. */
START_TEST(listening_sockets_are_taken_over)
{
	ck_assert_int_eq(start(tcp_socket(true), tcp_socket(true), "2"), 0);
}
END_TEST

START_TEST(other_descriptors_are_refused)
{
	ck_assert_int_eq(start(tcp_socket(true), tcp_socket(false), "2"), 10);
	ck_assert_int_eq(start(tcp_socket(true), socket(AF_INET, SOCK_DGRAM, 0), "2"), 10);
	ck_assert_int_eq(start(tcp_socket(true), open("/dev/null", O_RDONLY), "2"), 10);
	ck_assert_int_eq(start(tcp_socket(true), tcp_socket(true), "many"), 11);
}
END_TEST

#else

static void set_up(void)
{
}

static void tear_down(void)
{
}

#endif

START_TEST(nothing_happens_without_a_manager)
{
	int *fds = &(int){0};
	bool *secure = &(bool){true};
	size_t n = 7;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	sysd_ready("");
	sysd_status("");
	sysd_watchdog_ping();
	sysd_reloading();
	sysd_extend(1);
	sysd_stopping("");
	ck_assert(!sysd_listens());
	ck_assert_uint_eq(sysd_watchdog_interval_ms(), 0);
	ck_ok(sysd_sockets(&fds, &secure, &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(fds);
	ck_assert_ptr_null(secure);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sysd");
	TCase *t = tcase_create("sysd");

	tcase_add_checked_fixture(t, set_up, tear_down);
#ifdef HAVE_SYSTEMD
	tcase_add_test(t, the_manager_hears_of_every_step);
	tcase_add_test(t, a_reload_begins_when_it_says_so);
	tcase_add_test(t, the_watchdog_is_heard_when_it_is_meant_for_us);
	tcase_add_test(t, listening_sockets_are_taken_over);
	tcase_add_test(t, other_descriptors_are_refused);
#endif
	tcase_add_test(t, nothing_happens_without_a_manager);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
