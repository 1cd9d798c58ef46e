/* SPDX-License-Identifier: Apache-2.0 */
#include "client/settings.h"
#include "common/base/fsio.h"
#include "common/net/url.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER    "/modelctl"
#define FILE_NAME "/config"

void settings_done(struct settings *s)
{
	free(s->server);
	free(s->token);
	free(s->ca);
	free(s->path);
}

static int set(char **place, struct str value, struct fault *f)
{
	char *copy = str_dup(value);

	if (!copy)
		return err_nomem(&f->e);
	free(*place);
	*place = copy;
	return 0;
}

/* ---- values ---- */

/* "https://user:password@host": neither is repeated in messages. */
static bool has_user(struct str url)
{
	const char *host = url.n > 0 ? strstr(url.p, "://") : NULL;
	size_t n = host ? strcspn(host + 3, "/?#") : 0;

	return host && memchr(host + 3, '@', n);
}

int settings_server(const char *url, char **ret, struct fault *f)
{
	struct str text = str_of(url);
	struct url parsed;

	while (text.n > 0 && text.p[text.n - 1] == '/')
		text.n--;
	if (has_user(text)) {
		(void)fault_usage(f, "the address of a server has no user and password in it");
		return fault_next(
			f, "A token comes from MODELCTL_TOKEN, --token or `modelctl login`.");
	}
	if (url_parse(text, &parsed, &f->e) < 0 || memchr(text.p, '?', text.n) ||
		memchr(text.p, '#', text.n)) {
		(void)fault_usage(f, "\"%.200s\" is no address of a server", url);
		return fault_next(f,
			"It looks like " SETTINGS_SERVER " or "
			"https://models.example.org.");
	}
	return set(ret, text, f);
}

int settings_check_token(struct str token, struct fault *f)
{
	bool fine = token.n > 0 && token.n <= SETTINGS_TOKEN_MAX;

	for (size_t i = 0; fine && i < token.n; i++)
		fine = token.p[i] > ' ' && token.p[i] < 0x7f;
	return fine ? 0
		    : fault_usage(f, "a token is 1 to %d printable characters without spaces",
			      SETTINGS_TOKEN_MAX);
}

int settings_check_ca(const char *file, struct fault *f)
{
	CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(&f->e, errno, "the certificates in %s", file);
	return S_ISREG(st.st_mode) ? 0 : fault_usage(f, "%s is no file of certificates", file);
}

/* ---- the file ---- */

static int take_line(struct str line, struct settings *s, struct fault *f)
{
	struct str key, value = line;

	if (!str_split(&value, '=', &key) || !value.p)
		return fault_usage(f, "not of the form KEY = VALUE");
	key = str_trim(key);
	value = str_trim(value);
	if (str_eq_c(key, "server")) {
		CLEANUP_FREE char *url = str_dup(value);
		return url ? settings_server(url, &s->server, f) : err_nomem(&f->e);
	}
	if (str_eq_c(key, "token")) {
		int r = settings_check_token(value, f);
		return r < 0 ? r : set(&s->token, value, f);
	}
	if (str_eq_c(key, "ca"))
		return set(&s->ca, value, f);
	return fault_usage(f, "there is no key \"" STR_FMT "\", only server, token and ca",
		key.n < 100 ? (int)key.n : 100, key.p);
}

int settings_parse(struct str text, const char *path, struct settings *s, struct fault *f)
{
	struct str line;
	unsigned number = 0;
	int r = 0;

	while (r == 0 && str_split(&text, '\n', &line)) {
		number++;
		line = str_trim(line);
		if (line.n > 0 && *line.p != '#')
			r = take_line(line, s, f);
	}
	return r < 0 ? err_prefix(&f->e, "%s:%u", path, number) : 0;
}

/* Who can read it can use the token. */
static int check_mode(int fd, const char *path, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(&f->e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fault_usage(f, "%s is no file", path);
	if ((st.st_mode & 077) == 0)
		return 0;
	(void)fault_usage(f, "%s can be read by others, and may hold a token", path);
	return fault_next(f, "Run `chmod 600 %s`.", path);
}

static int read_file(const char *path, struct settings *s, struct fault *f)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FREE char *text = NULL;
	size_t n;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(&f->e, errno, "cannot read %s", path);
	r = check_mode(fd, path, f);
	if (r == 0)
		r = fsio_read_file(AT_FDCWD, path, SETTINGS_TEXT_MAX, &text, &n, &f->e);
	return r < 0 ? r : settings_parse((struct str){text, n}, path, s, f);
}

/* Make its folders, and the file under another name first: others never see half of it. */
int settings_write(const struct settings *s, struct fault *f)
{
	CLEANUP_FREE char *folder = NULL, *temporary = NULL;
	CLEANUP_BUF struct buf text = BUF_INIT(SETTINGS_TEXT_MAX);
	CLEANUP_FD int fd = -1;
	int r;

	if (!s->path)
		return fault_usage(f, "neither XDG_CONFIG_HOME nor HOME says where to keep it");
	folder = str_dup((struct str){s->path, strlen(s->path) - strlen(FILE_NAME)});
	if (!folder || asprintf(&temporary, "%s.new", s->path) < 0)
		return err_nomem(&f->e);
	buf_addf(&text, "# Written by `modelctl login`.\nserver = %s\n", s->server);
	if (s->token)
		buf_addf(&text, "token = %s\n", s->token);
	if (s->ca)
		buf_addf(&text, "ca = %s\n", s->ca);
	r = fsio_mkdirs(folder, &f->e);
	if (r < 0)
		return r;
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(&f->e, errno, "cannot write %s", temporary);
	r = fsio_write_all(fd, text.data, text.len, temporary, &f->e);
	if (r == 0 && rename(temporary, s->path) < 0)
		r = err_sys(&f->e, errno, "cannot write %s", s->path);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

/* ---- all of it ---- */

/* A variable that is set and not empty, or NULL. */
static const char *variable(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return (*env)[n + 1] ? *env + n + 1 : NULL;
	return NULL;
}

static int find_path(char *const *env, char **ret, struct fault *f)
{
	const char *config = variable(env, "XDG_CONFIG_HOME"), *home = variable(env, "HOME");
	int n = 0;

	/* The XDG Base Directory Specification: a relative path counts as none. */
	if (config && config[0] == '/')
		n = asprintf(ret, "%s" FOLDER FILE_NAME, config);
	else if (home && home[0] == '/')
		n = asprintf(ret, "%s/.config" FOLDER FILE_NAME, home);
	return n < 0 ? err_nomem(&f->e) : 0;
}

static int choose_server(const struct args *a, char *const *env, struct settings *s,
	struct fault *f)
{
	const char *given = args_value(a, USAGE_SERVER);
	CLEANUP_FREE char *server = NULL;
	int r;

	if (!given)
		given = variable(env, "MODELCTL_SERVER");
	if (!given)
		return s->server ? 0 : set(&s->server, STR_LIT(SETTINGS_SERVER), f);
	r = settings_server(given, &server, f);
	if (r < 0)
		return r;
	if (!s->server || strcmp(server, s->server) != 0) {
		free(take_ptr(s->token));
		free(take_ptr(s->ca));
	}
	return set(&s->server, str_of(server), f);
}

static int choose_token(const struct args *a, char *const *env, struct settings *s, struct fault *f)
{
	const char *given = args_value(a, USAGE_TOKEN);
	int r;

	if (!given)
		given = variable(env, "MODELCTL_TOKEN");
	if (!given)
		return 0;
	r = settings_check_token(str_of(given), f);
	return r < 0 ? r : set(&s->token, str_of(given), f);
}

static int choose_ca(const struct args *a, char *const *env, struct settings *s, struct fault *f)
{
	const char *given = args_value(a, USAGE_CA);
	int r = 0;

	if (!given)
		given = variable(env, "MODELCTL_CA");
	if (given)
		r = set(&s->ca, str_of(given), f);
	return r == 0 && s->ca ? settings_check_ca(s->ca, f) : r;
}

int settings_read(const struct args *a, char *const *env, struct settings *ret, struct fault *f)
{
	struct settings s = {.server = NULL};
	int r = find_path(env, &s.path, f);

	if (r == 0 && s.path)
		r = read_file(s.path, &s, f);
	if (r == 0)
		r = choose_server(a, env, &s, f);
	if (r == 0)
		r = choose_token(a, env, &s, f);
	if (r == 0)
		r = choose_ca(a, env, &s, f);
	if (r < 0)
		settings_done(&s);
	else
		*ret = s;
	return r;
}
