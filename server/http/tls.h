/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of listeners: a certificate and its key from PEM files, which can be read anew while
 * connections are open. libmicrohttpd 0.9.75 takes a certificate for the life of a daemon
 * (microhttpd/daemon.c, MHD_init_daemon_certificate), so each session gets its credentials here,
 * when its connection begins and before its handshake. TLS 1.2 and 1.3, forward secrecy and
 * authenticated encryption alone, in the words of "Priority strings" in the GnuTLS manual. The only
 * code that sees GnuTLS. */
#pragma once

#include "common/base/buf.h"

struct MHD_OptionItem;
struct tls;
/* What a session authenticates itself with; reference counted, since sessions outlive a reload. */
struct tls_certificate;

/* What is no error, and still wrong. */
struct tls_facts {
	uint64_t from_ms;  /* the certificate is valid, in epoch milliseconds */
	uint64_t until_ms;
	bool is_exposed; /* every user of the machine may read the key */
};

/* Are these a certificate and its key? Reads both; blocks on the disk. ERR_CONFIG names the file
 * and what is wrong with it. */
int tls_check(const char *certificate, const char *key, struct tls_facts *ret, struct err *e);
/* A sentence about what is wrong at this time, appended to `out`; false when nothing is. */
bool tls_warn(const struct tls_facts *f, uint64_t now_ms, struct buf *out);

/* As tls_check(), for listeners. */
int tls_open(const char *certificate, const char *key, struct tls **ret, struct err *e);
/* When no session is left. Accepts NULL. */
void tls_free(struct tls *t);

/* For one thread at a time, while sessions begin on others. Read both files anew, if they have
 * changed since they were last read or if `anyway`. 1: sessions that begin from now on get the new
 * certificate; 0: nothing has changed; on an error, of which there is one for each change, the old
 * one stays. */
int tls_refresh(struct tls *t, bool anyway, struct err *e);

/* A certificate and its key that were read, to take the place of those in force: then from files of
 * perhaps other names, which are refreshed from there on. */
struct tls_fresh;
/* As tls_check(). */
int tls_fresh_new(const char *certificate, const char *key, struct tls_fresh **ret, struct err *e);
void tls_fresh_free(struct tls_fresh *f); /* accepts NULL */
/* As a refresh. Takes it over. */
void tls_replace(struct tls *t, struct tls_fresh *f);

/* Of the certificate in force. The thread that refreshes. */
const struct tls_facts *tls_facts(const struct tls *t);

/* Gives a new session (gnutls_session_t) the certificate in force. A reference for the caller, who
 * releases it once the session is gone; NULL without memory, then the handshake fails. Any
 * thread. */
struct tls_certificate *tls_begin(struct tls *t, void *session);
void tls_release(struct tls_certificate *c); /* accepts NULL */

#define TLS_OPTIONS_N 3
/* Sets the TLS_OPTIONS_N options of an MHD daemon for it, the end included. A session that
 * tls_begin() has not seen fails its handshake. */
void tls_options(struct MHD_OptionItem *ret);
