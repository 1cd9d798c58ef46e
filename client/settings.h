/* SPDX-License-Identifier: Apache-2.0 */
/* Which server, and with which token: command line, then environment, then the file
 * $XDG_CONFIG_HOME/modelctl/config (~/.config/modelctl/config), then http://127.0.0.1:8570.
 *
 *   # a comment
 *   server = https://models.example.org
 *   token = ...
 *   ca = /etc/ssl/models.pem
 *
 * The file may be read by its owner alone. What it says is for the server in it: another one that
 * the command line or the environment names does not get its token. */
#pragma once

#include "client/args.h"

#define SETTINGS_SERVER    "http://127.0.0.1:8570"
#define SETTINGS_TEXT_MAX  65536 /* bytes of the file */
#define SETTINGS_TOKEN_MAX 4096

struct settings {
	char *server;   /* without a '/' at its end */
	char *token;    /* NULL for none */
	char *ca;       /* a file; NULL: what the system trusts */
	char *path;     /* of the file; NULL when there is no home to look in */
};

void settings_done(struct settings *s);

/* `env` is the environment, NULL terminated. Reads the file. */
int settings_read(const struct args *a, char *const *env, struct settings *ret, struct fault *f);

/* What the text of a file says; members that it does not say stay. `path` is for messages. */
int settings_parse(struct str text, const char *path, struct settings *s, struct fault *f);
/* http or https, a host, no user, no query; ERR_BAD_PARAMETER. *ret is a copy without final
 * '/'s. */
int settings_server(const char *url, char **ret, struct fault *f);
/* Visible ASCII without spaces, as a header can carry it (RFC 6750 2.1). ERR_BAD_PARAMETER. */
int settings_check_token(struct str token, struct fault *f);
/* A file of certificates can be read; ERR_BAD_PARAMETER. */
int settings_check_ca(const char *file, struct fault *f);
/* Make or replace the file, mode 0600, with its server, token and ca. */
int settings_write(const struct settings *s, struct fault *f);
