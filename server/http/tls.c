/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls.h"
#include "common/base/clock.h"
#include "common/base/fsio.h"
#include "common/base/num.h"

#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MAX (1u * MIB)

/* Clients and server agree on the cipher that the server likes best: the one that processors have
 * instructions for. */
static const char priorities[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
	"-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:"
	"-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE";

struct tls_certificate {
	atomic_uint refs;
	gnutls_certificate_credentials_t credentials;
	struct tls_facts facts;
};

/* What tells one state of a file from another. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct files {
	char *certificate;
	char *key;
	struct stamp stamps[2]; /* when they were last read */
};

struct tls {
	struct files files;      /* who refreshes */
	gnutls_datum_t tickets;  /* the key of session tickets, shared by all loops */
	pthread_mutex_t lock;
	struct tls_certificate *current;
};

/* ---- reading ---- */

static int gnutls_failed(struct err *e, int code, const char *certificate, const char *key)
{
	if (code == GNUTLS_E_MEMORY_ERROR)
		return err_nomem(e);
	if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return err_set(e, ERR_CONFIG, "the key in %s is not that of the certificate in %s",
			key, certificate);
	return err_set(e, ERR_CONFIG,
		"%s and %s: expected a certificate, with those between it and the authority's, and "
		"its key without a password, both PEM: %s",
		certificate, key, gnutls_strerror(code));
}

static int read_pem(const char *path, gnutls_datum_t *ret, struct err *e)
{
	char *bytes = NULL;
	size_t n = 0;
	struct err why;

	if (fsio_read_file(AT_FDCWD, path, PEM_MAX, &bytes, &n, &why) < 0)
		return err_set(e, why.code == ERR_OUT_OF_MEMORY ? why.code : ERR_CONFIG, "%s",
			why.text);
	ret->data = (unsigned char *)bytes;
	ret->size = (unsigned)n;
	return 0;
}

static void wipe(gnutls_datum_t *d)
{
	if (d->data)
		explicit_bzero(d->data, d->size);
	free(d->data);
	d->data = NULL;
}

static uint64_t epoch_ms(time_t t)
{
	return t > 0 ? (uint64_t)t * 1000 : 0;
}

/* The certificates are copies. */
static int read_facts(struct tls_certificate *c)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned n = 0;
	int r = gnutls_certificate_get_x509_crt(c->credentials, 0, &chain, &n);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		uint64_t from = epoch_ms(gnutls_x509_crt_get_activation_time(chain[i]));
		uint64_t until = epoch_ms(gnutls_x509_crt_get_expiration_time(chain[i]));
		if (from > c->facts.from_ms)
			c->facts.from_ms = from;
		if (i == 0 || until < c->facts.until_ms)
			c->facts.until_ms = until;
		gnutls_x509_crt_deinit(chain[i]);
	}
	gnutls_free(chain);
	return 0;
}

static int load(struct tls_certificate *c, const char *certificate, const char *key,
	struct err *e)
{
	gnutls_datum_t pem[2] = {{0}};
	struct stat st;
	int code, r = read_pem(certificate, &pem[0], e);

	if (r == 0)
		r = read_pem(key, &pem[1], e);
	if (r == 0) {
		code = gnutls_certificate_allocate_credentials(&c->credentials);
		if (code >= 0)
			code = gnutls_certificate_set_x509_key_mem(c->credentials, &pem[0], &pem[1],
				GNUTLS_X509_FMT_PEM);
		if (code >= 0)
			code = read_facts(c);
		if (code < 0)
			r = gnutls_failed(e, code, certificate, key);
	}
	wipe(&pem[0]);
	wipe(&pem[1]);
	c->facts.is_exposed = stat(key, &st) == 0 && (st.st_mode & S_IROTH);
	return r;
}

void tls_release(struct tls_certificate *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->credentials)
		gnutls_certificate_free_credentials(c->credentials);
	free(c);
}

static int certificate_new(const char *certificate, const char *key, struct tls_certificate **ret,
	struct err *e)
{
	struct tls_certificate *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	atomic_init(&c->refs, 1);
	r = load(c, certificate, key, e);
	if (r < 0)
		tls_release(c);
	else
		*ret = c;
	return r;
}

/* ---- judging ---- */

int tls_check(const char *certificate, const char *key, struct tls_facts *ret, struct err *e)
{
	struct tls_certificate *c = NULL;
	int r = certificate_new(certificate, key, &c, e);

	if (r == 0)
		*ret = c->facts;
	tls_release(c);
	return r;
}

bool tls_warn(const struct tls_facts *f, uint64_t now_ms, struct buf *out)
{
	char date[CLOCK_TEXT];
	size_t before = out->len;

	if (now_ms >= f->until_ms)
		buf_addf(out, "the certificate has expired: it was valid until %s",
			clock_http_date(f->until_ms, date));
	else if (now_ms < f->from_ms)
		buf_addf(out, "the certificate is not valid before %s",
			clock_http_date(f->from_ms, date));
	if (f->is_exposed)
		buf_addf(out, "%severy user of this machine may read the key: chmod o-r",
			out->len > before ? "; " : "");
	return out->len > before;
}

/* ---- in use ---- */

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct stamp){0};
	return (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_ctim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
		a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Looked at before reading: what changes meanwhile is another change. */
static bool note_stamps(struct files *f)
{
	const struct stamp now[2] = {stamp_of(f->certificate), stamp_of(f->key)};
	bool changed = !is_same(&now[0], &f->stamps[0]) || !is_same(&now[1], &f->stamps[1]);

	memcpy(f->stamps, now, sizeof(now));
	return changed;
}

static void files_done(struct files *f)
{
	free(f->certificate);
	free(f->key);
}

static int files_init(struct files *f, const char *certificate, const char *key, struct err *e)
{
	*f = (struct files){.certificate = strdup(certificate), .key = strdup(key)};
	return f->certificate && f->key ? 0 : err_nomem(e);
}

int tls_open(const char *certificate, const char *key, struct tls **ret, struct err *e)
{
	struct tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_nomem(e);
	pthread_mutex_init(&t->lock, NULL);
	r = files_init(&t->files, certificate, key, e);
	if (r == 0 && gnutls_session_ticket_key_generate(&t->tickets) != GNUTLS_E_SUCCESS)
		r = err_nomem(e);
	if (r == 0)
		r = tls_refresh(t, true, e);
	if (r < 0) {
		tls_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	tls_release(t->current);
	if (t->tickets.data)
		gnutls_memset(t->tickets.data, 0, t->tickets.size);
	gnutls_free(t->tickets.data);
	pthread_mutex_destroy(&t->lock);
	files_done(&t->files);
	free(t);
}

static void install(struct tls *t, struct tls_certificate *made)
{
	struct tls_certificate *old;

	pthread_mutex_lock(&t->lock);
	old = t->current;
	t->current = made;
	pthread_mutex_unlock(&t->lock);
	tls_release(old);
}

int tls_refresh(struct tls *t, bool anyway, struct err *e)
{
	struct tls_certificate *made = NULL;
	bool changed = note_stamps(&t->files);
	int r;

	if (!changed && !anyway)
		return 0;
	r = certificate_new(t->files.certificate, t->files.key, &made, e);
	if (r < 0)
		return r;
	install(t, made);
	return 1;
}

/* ---- one in the place of another ---- */

struct tls_fresh {
	struct files files;
	struct tls_certificate *certificate;
};

int tls_fresh_new(const char *certificate, const char *key, struct tls_fresh **ret, struct err *e)
{
	struct tls_fresh *f = calloc(1, sizeof(*f));
	int r = f ? files_init(&f->files, certificate, key, e) : err_nomem(e);

	if (r == 0) {
		(void)note_stamps(&f->files);
		r = certificate_new(certificate, key, &f->certificate, e);
	}
	if (r < 0)
		tls_fresh_free(f);
	else
		*ret = f;
	return r;
}

void tls_fresh_free(struct tls_fresh *f)
{
	if (!f)
		return;
	files_done(&f->files);
	tls_release(f->certificate);
	free(f);
}

void tls_replace(struct tls *t, struct tls_fresh *f)
{
	struct files old = t->files;

	t->files = f->files;
	f->files = old;
	install(t, take_ptr(f->certificate));
	tls_fresh_free(f);
}

const struct tls_facts *tls_facts(const struct tls *t)
{
	return &t->current->facts;
}

struct tls_certificate *tls_begin(struct tls *t, void *session)
{
	gnutls_session_t s = session;

	pthread_mutex_lock(&t->lock);
	struct tls_certificate *c = t->current;
	atomic_fetch_add(&c->refs, 1);
	pthread_mutex_unlock(&t->lock);
	/* Without tickets each connection shakes hands in full: slower, and right. */
	(void)gnutls_session_ticket_enable_server(s, &t->tickets);
	if (gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, c->credentials) == GNUTLS_E_SUCCESS)
		return c;
	tls_release(c);
	return NULL;
}

static int refuse(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_n,
	const gnutls_pk_algorithm_t *algorithms, int algorithms_n, gnutls_pcert_st **ret,
	unsigned *ret_n, gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)authorities;
	(void)authorities_n;
	(void)algorithms;
	(void)algorithms_n;
	(void)ret;
	(void)ret_n;
	(void)ret_key;
	return -1;
}

void tls_options(struct MHD_OptionItem *ret)
{
	/* The library only reads them. */
	void *text = (void *)(uintptr_t)priorities;
	void *callback = (void *)(uintptr_t)refuse;

	ret[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, text};
	ret[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, callback};
	ret[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}
