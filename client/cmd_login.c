/* SPDX-License-Identifier: Apache-2.0 */
#include "client/api.h"
#include "client/cmd.h"
#include "client/say.h"
#include "common/base/fsio.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>

/* ---- the token, from a terminal or a pipe ---- */

/* A signal between the look at the flag and read() would interrupt nothing: the wait alone lets it
 * in. Negative with errno. */
static int wait_for_input(const atomic_bool *cancel)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t stop, before;
	int r;

	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGINT);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &stop, &before);
	errno = EINTR;
	r = atomic_load(cancel) ? -1 : ppoll(&in, 1, NULL, &before);
	int why = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = why;
	return r;
}

static int read_line(const atomic_bool *cancel, char *buf, size_t size, struct fault *f)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = wait_for_input(cancel);
		if (got >= 0)
			got = read(STDIN_FILENO, buf + n, 1);
		if (got < 0 && errno == EINTR && atomic_load(cancel))
			return err_set(&f->e, ERR_CANCELLED, "interrupted; nothing was kept");
		if (got < 0)
			return err_sys(&f->e, errno, "reading the token");
		if (got == 0 || buf[n] == '\n')
			break;
		if (++n == size)
			return fault_usage(f, "the token is too long");
	}
	buf[n] = '\0';
	return 0;
}

static int ask(const atomic_bool *cancel, char *buf, size_t size, struct fault *f)
{
	struct termios before, silent;
	int r;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_sys(&f->e, errno, "the terminal");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* In this order: what is typed at the question is neither shown nor flushed. */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	(void)fputs("Token (nothing for none): ", stderr);
	r = read_line(cancel, buf, size, f);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)fputc('\n', stderr);
	return r;
}

/* An option or the environment has said it already, or else standard input does. */
static int get_token(const struct run *run, struct settings *s, struct fault *f)
{
	char line[SETTINGS_TOKEN_MAX + 2];
	struct str token;
	int r;

	if (args_has(run->args, USAGE_TOKEN) || getenv("MODELCTL_TOKEN")) {
		s->token = run->settings->token ? strdup(run->settings->token) : NULL;
		return run->settings->token && !s->token ? err_nomem(&f->e) : 0;
	}
	r = isatty(STDIN_FILENO) == 1 ? ask(run->cancel, line, sizeof(line), f)
				      : read_line(run->cancel, line, sizeof(line), f);
	if (r < 0)
		return r;
	token = str_trim(str_of(line));
	if (token.n == 0)
		return 0;
	r = settings_check_token(token, f);
	if (r < 0)
		return r;
	s->token = str_dup(token);
	return s->token ? 0 : err_nomem(&f->e);
}

/* ---- is it right? ---- */

static int try_it(const struct run *run, const struct settings *s, struct fault *f)
{
	CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
	CLEANUP(api_close_p) struct api *a = NULL;
	struct run trial = *run;
	int r;

	trial.settings = s;
	r = api_open(&trial, &a, f);
	return r < 0 ? r : api_get(a, "/v1/models?limit=1", s->server, &answer, f);
}

static int set(char **place, const char *value, struct fault *f)
{
	*place = value ? strdup(value) : NULL;
	return value && !*place ? err_nomem(&f->e) : 0;
}

static int tell(const struct run *run, const struct settings *s, struct fault *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(8192);
	struct json_write w;

	say_note(run, "%s is the server now%s; %s says so.", s->server,
		s->token ? ", with this token" : ", without a token", s->path);
	if (!run->json)
		return 0;
	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "server", s->server);
	json_write_bool(&w, "token", s->token != NULL);
	json_write_str(&w, "file", s->path);
	json_write_object_end(&w);
	return say_json(&json, f);
}

/* Of another server than the one that is configured, only what was said for it. */
static int get_ca(const struct run *run, struct settings *s, struct fault *f)
{
	bool said = args_has(run->args, USAGE_CA) || getenv("MODELCTL_CA");

	if (!run->settings->ca || (!said && strcmp(s->server, run->settings->server) != 0))
		return 0;
	s->ca = realpath(run->settings->ca, NULL);
	return s->ca ? 0 : err_sys(&f->e, errno, "%s", run->settings->ca);
}

int cmd_login(struct run *run, struct fault *f)
{
	CLEANUP(settings_done) struct settings s = {.server = NULL};
	const char *server = run_operand(run, 0);
	int r = set(&s.path, run->settings->path, f);

	if (r == 0)
		r = server ? settings_server(server, &s.server, f)
			   : set(&s.server, run->settings->server, f);
	if (r == 0)
		r = get_ca(run, &s, f);
	if (r == 0)
		r = get_token(run, &s, f);
	if (r == 0)
		r = try_it(run, &s, f);
	if (r == 0)
		r = settings_write(&s, f);
	return r < 0 ? r : tell(run, &s, f);
}
