/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. */
#include "server/http/httpd_internal.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_TEXT_MAX 80

/* What may lie unsent in a connection when its send buffer is left to the system: enough for a full
 * pipe, and little enough for a thousand readers that stall. */
#define NOTSENT_LOWAT (256 * 1024)

/* "127.0.0.1:80" and "[::1]:80" fall into host and port. */
static bool split_address(const char *text, char *host, size_t host_max, const char **ret_port)
{
	const char *end = strrchr(text, ':');
	const char *start = text;

	if (!end)
		return false;
	*ret_port = end + 1;
	if (*start == '[') {
		if (end == start || end[-1] != ']')
			return false;
		start++;
		end--;
	}
	size_t n = (size_t)(end - start);
	if (end <= start || n >= host_max || (start == text && memchr(start, ':', n)))
		return false;
	memcpy(host, start, n);
	host[n] = '\0';
	return true;
}

static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_n,
	struct err *e)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	char host[ADDRESS_TEXT_MAX];
	const char *port = NULL;
	struct addrinfo *found = NULL;
	uint64_t number;

	if (!split_address(text, host, sizeof(host), &port) ||
		!num_parse(port, strlen(port), UINT16_MAX, &number) ||
		getaddrinfo(host, port, &hints, &found) != 0)
		return err_set(e, ERR_CONFIG, "\"%s\" is no address to listen on: ADDRESS:PORT or "
			"[ADDRESS]:PORT is expected, with a numeric address, behind tls: for TLS",
			text);
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	*ret_n = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static unsigned port_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)a)->sin_port);
	if (a->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	return 0;
}

static int bind_failed(struct err *e, int sys_errno, const char *text)
{
	if (sys_errno == EADDRINUSE)
		return err_set(e, ERR_CONFIG, "%s is in use; is another modeld running? "
			"Stop it, or listen on another port", text);
	if (sys_errno == EADDRNOTAVAIL)
		return err_set(e, ERR_CONFIG, "%s is no address of this machine", text);
	if (sys_errno == EACCES)
		return err_set(e, ERR_CONFIG, "%s needs a privilege that this process has not; "
			"use a port from 1024 on, or socket activation", text);
	return err_sys(e, sys_errno, "cannot listen on %s", text);
}

static int open_bound(const struct sockaddr_storage *a, socklen_t n, bool share, const char *text,
	int *ret_fd, struct err *e)
{
	CLEANUP_FD int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return err_sys(e, errno, "cannot make a socket for %s", text);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		(share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) ||
		(a->ss_family == AF_INET6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return err_sys(e, errno, "cannot set up a socket for %s", text);
	if (bind(fd, (const struct sockaddr *)a, n) < 0)
		return bind_failed(e, errno, text);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* SO_REUSEPORT would let a second daemon of the same user bind beside us and take half of the
 * connections: a socket without it finds out first. */
static int probe(const struct sockaddr_storage *a, socklen_t n, const char *text, struct err *e)
{
	CLEANUP_FD int fd = -1;

	return port_of(a) == 0 ? 0 : open_bound(a, n, false, text, &fd, e);
}

/* Connections inherit both options. Failing to set them costs speed or memory, nothing else. */
static void set_send_buffer(int fd, unsigned send_buffer)
{
	const int lowat = NOTSENT_LOWAT;
	const int size = send_buffer > INT32_MAX ? INT32_MAX : (int)send_buffer;

	if (send_buffer)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	else
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

static bool make_room(struct httpd_listener *l, size_t loops)
{
	l->fds = malloc(loops * sizeof(*l->fds));
	if (!l->fds)
		return false;
	for (l->fds_n = 0; l->fds_n < loops; l->fds_n++)
		l->fds[l->fds_n] = -1;
	return true;
}

static const char secure[] = "tls:";

bool httpd_listen_wants_tls(const char *listen)
{
	return strncmp(listen, secure, strlen(secure)) == 0;
}

static const char *without_secure(const char *word)
{
	return httpd_listen_wants_tls(word) ? word + strlen(secure) : word;
}

int httpd_listen_check(const char *listen, struct err *e)
{
	struct sockaddr_storage a;
	socklen_t n;

	return parse_address(without_secure(listen), &a, &n, e);
}

int httpd_listen_open(struct httpd_listener *l, const char *word, size_t loops,
	unsigned send_buffer, struct err *e)
{
	const char *address = without_secure(word);
	struct sockaddr_storage a = {0};
	socklen_t n = 0;
	int result = parse_address(address, &a, &n, e);

	if (result == 0)
		result = probe(&a, n, address, e);
	if (result == 0 && !make_room(l, loops))
		result = err_nomem(e);
	for (size_t i = 0; result == 0 && i < loops; i++) {
		result = open_bound(&a, n, true, address, &l->fds[i], e);
		/* With port 0 the first socket has got a port by now; the others share it. */
		socklen_t room = sizeof(a);
		if (result == 0 && getsockname(l->fds[i], (struct sockaddr *)&a, &room) < 0)
			result = err_sys(e, errno, "cannot read the address of %s", address);
		if (result == 0)
			set_send_buffer(l->fds[i], send_buffer);
		if (result == 0 && listen(l->fds[i], SOMAXCONN) < 0)
			result = bind_failed(e, errno, address);
	}
	l->address = a;
	return result;
}

static int check_handed_in(int fd, struct sockaddr_storage *ret, struct err *e)
{
	int listening = 0, flags = fcntl(fd, F_GETFL);
	socklen_t n = sizeof(listening), room = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0 || !listening ||
		getsockname(fd, (struct sockaddr *)ret, &room) < 0)
		return err_set(e, ERR_CONFIG, "descriptor %d, handed in by the service manager, "
			"is no listening socket (Accept=no is needed)", fd);
	/* Several loops are told of one connection and only one of them gets it. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot set up descriptor %d", fd);
	return 0;
}

int httpd_listen_adopt(struct httpd_listener *l, int handed_in, size_t loops, unsigned send_buffer,
	struct err *e)
{
	CLEANUP_FD int fd = handed_in;
	struct sockaddr_storage a = {0};
	int result = check_handed_in(fd, &a, e);

	if (result < 0)
		return result;
	if (!make_room(l, loops))
		return err_nomem(e);
	set_send_buffer(fd, send_buffer);
	for (size_t i = 0; i < loops; i++) {
		l->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (l->fds[i] < 0)
			return err_sys(e, errno, "cannot duplicate descriptor %d", fd);
	}
	l->handed_in = true;
	l->address = a;
	return 0;
}

bool httpd_listen_is_loopback(const struct httpd_listener *l)
{
	const struct in6_addr *six = &((const struct sockaddr_in6 *)&l->address)->sin6_addr;

	if (l->address.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&l->address)->sin_addr.s_addr) >> 24 ==
			IN_LOOPBACKNET;
	if (l->address.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(six);
	return l->address.ss_family == AF_UNIX;
}

unsigned httpd_listen_port(const struct httpd_listener *l)
{
	return port_of(&l->address);
}

void httpd_listen_url(const struct httpd_listener *l, struct buf *out)
{
	const struct in_addr *four = &((const struct sockaddr_in *)&l->address)->sin_addr;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)&l->address)->sin6_addr;
	char host[INET6_ADDRSTRLEN] = "127.0.0.1";

	if (l->address.ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, IN6_IS_ADDR_UNSPECIFIED(six) ? &in6addr_loopback : six,
			host, sizeof(host));
	else if (l->address.ss_family == AF_INET && four->s_addr != htonl(INADDR_ANY))
		(void)inet_ntop(AF_INET, four, host, sizeof(host));
	buf_addf(out, strchr(host, ':') ? "http%s://[%s]" : "http%s://%s", l->is_secure ? "s" : "",
		host);
	if (httpd_listen_port(l))
		buf_addf(out, ":%u", httpd_listen_port(l));
}

void httpd_listen_close(struct httpd_listener *l)
{
	for (size_t i = 0; i < l->fds_n; i++)
		close_fd_p(&l->fds[i]);
	free(l->fds);
	*l = (struct httpd_listener){0};
}
