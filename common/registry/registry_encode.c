/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/registry_encode.h"
#include "common/base/clock.h"
#include "common/base/num.h"
#include "common/model/filepath.h"
#include "common/registry/registry_internal.h"
#include "common/registry/registry_verify.h"
#include "common/store/catalog_variant.h"

#include <stdio.h>
#include <string.h>

#define INTENT_MS    UINT64_C(3600000) /* from the intent to the commit */
#define PUT_OFF_MS   UINT64_C(3600000) /* what no version holds, and what is damaged */
#define FAILED_MS    UINT64_C(600000)
#define QUIET_MS     20 /* without bytes that arrive: a publish is over by then */
#define GIVE_WAY_MS  50 /* and no longer, or a busy daemon would never code */
#define LEAST_COST   (128u << 10) /* of a file, for the rate: what syncs of the disk cost others */
#define SAMPLES      5
#define SAMPLE_BYTES (64u << 10)
#define MODELS_TOLD  256 /* a file of more is one of any model */
#define ATTEMPTS     2   /* when a collection takes a blob between staging and commit */

struct form {
	struct encode *coder;
	struct blob_writer *writer;
	struct digest digest;
	uint64_t size;
};

struct work {
	struct registry *registry;
	struct registry_encode *how;
	struct catalog_variant_job job;
	bool is_text;
	bool worth; /* it was coded; forms may still not pay */
	struct digest_ctx *hash;
	struct form forms[ENCODE_CODINGS]; /* by coding */
	bool ours;                         /* the failure is none of reading the file */
};

static void work_done(struct work *w)
{
	for (int i = 0; i < ENCODE_CODINGS; i++) {
		encode_free(w->forms[i].coder);
		blob_writer_free(w->forms[i].writer);
	}
	digest_ctx_free(w->hash);
}

/* ---- waiting ---- */

void registry_encode_wake(struct registry *r)
{
	bell_ring(&r->end);
	bell_ring(&r->work);
}

void registry_encode_wait(struct registry *r, const struct registry_encode *how, uint64_t ms)
{
	if (!atomic_load(how->stop))
		(void)bell_wait(&r->work, how->seen, ms);
}

/* Not with the bell that publishes ring: a thread of low priority may hold its lock for long. */
static void wait_until(struct registry *r, const struct registry_encode *how, uint64_t until_ms)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t rung = bell_rung(&r->end);

	while (now_ms < until_ms && !atomic_load(how->stop)) {
		rung = bell_wait(&r->end, rung, until_ms - now_ms);
		now_ms = clock_mono_ms();
	}
}

/* The lowest priority still takes slices of the processor, and commits take turns with those of
 * publishes: so what arrives goes first. */
static void give_way(struct registry *r, const struct registry_encode *how)
{
	uint64_t latest_ms = clock_mono_ms() + GIVE_WAY_MS;

	for (;;) {
		uint64_t quiet_ms = atomic_load(&r->arrived_ms) + QUIET_MS;
		uint64_t now_ms = clock_mono_ms();
		if (now_ms >= quiet_ms || now_ms >= latest_ms || atomic_load(how->stop))
			return;
		wait_until(r, how, quiet_ms < latest_ms ? quiet_ms : latest_ms);
	}
}

int registry_encode_keep_pace(struct registry *r, struct registry_encode *how, size_t n,
	struct err *e)
{
	uint64_t now_ms = clock_mono_ms();

	wait_until(r, how, now_ms + pace_take(&how->pace, now_ms, n));
	give_way(r, how);
	return atomic_load(how->stop) ? err_set(e, ERR_SHUTTING_DOWN, "told to stop") : 0;
}

/* ---- does it pay? ---- */

static bool pays(const struct work *w, uint64_t from, uint64_t to)
{
	uint64_t saved = from > to ? from - to : 0;
	uint64_t whole, part;

	if (w->is_text)
		return saved >= ENCODE_LEAST_SAVED;
	return num_mul(saved, 100, &part) && num_mul(from, REGISTRY_ENCODE_PERCENT, &whole) &&
		part >= whole && saved > 0;
}

struct sample {
	struct work *work;
	struct encode *coder;
	uint64_t in, out;
};

static int count_out(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct sample *s = cls;

	(void)bytes;
	(void)e;
	s->out += n;
	return 0;
}

static int sample_piece(struct sample *s, const struct blob_reader *file, uint64_t from,
	uint8_t *piece, struct err *e)
{
	uint64_t left = s->work->job.size - from;
	size_t n = left < SAMPLE_BYTES ? (size_t)left : SAMPLE_BYTES;
	int r = blob_reader_read(file, from, piece, n, e);

	if (r < 0)
		return r;
	s->in += n;
	r = encode_write(s->coder, piece, n, e);
	if (r == 0)
		r = registry_encode_keep_pace(s->work->registry, s->work->how, n, e);
	s->work->ours = r < 0;
	return r;
}

static int sample_pieces(struct sample *s, struct err *e)
{
	CLEANUP(blob_reader_close_p) struct blob_reader *file = NULL;
	CLEANUP_FREE uint8_t *piece = malloc(SAMPLE_BYTES);
	const struct catalog_variant_job *job = &s->work->job;
	bool whole = job->size <= SAMPLES * SAMPLE_BYTES;
	uint64_t step = whole ? SAMPLE_BYTES : (job->size - SAMPLE_BYTES) / (SAMPLES - 1);
	int r = piece ? 0 : err_nomem(e);

	if (r == 0)
		r = blobs_reader_open(s->work->registry->blobs, &job->key, job->size, &file, e);
	for (uint64_t i = 0; r == 0 && i < SAMPLES && i * step < job->size; i++)
		r = sample_piece(s, file, i * step, piece, e);
	return r;
}

/* Pieces from the first byte to the last. Where weights can be coded at all, gzip does half of it,
 * as it codes single bytes by how often they come. */
static int take_sample(struct work *w, bool *ret_pays, struct err *e)
{
	const struct encode_options o = {
		.coding = ENCODE_GZIP,
		.effort = ENCODE_CHEAP,
		.size = SAMPLES * SAMPLE_BYTES,
		.stop = w->how->stop,
	};
	CLEANUP(encode_free_p) struct encode *coder = NULL;
	struct sample s = {.work = w};
	int r = encode_new(&o, count_out, &s, &coder, e);

	s.coder = coder;
	if (r == 0)
		r = sample_pieces(&s, e);
	if (r == 0)
		r = encode_finish(coder, e);
	*ret_pays = r == 0 && pays(w, s.in, s.out);
	return r;
}

static int judge(struct work *w, bool *ret_pays, struct err *e)
{
	const char *type = filepath_media_type(str_of(w->job.path));
	int r;

	w->is_text = strcmp(type, "application/octet-stream") != 0;
	*ret_pays = w->job.size >= REGISTRY_ENCODE_LEAST;
	if (!*ret_pays)
		return 0;
	r = registry_encode_keep_pace(w->registry, w->how, LEAST_COST, e);
	w->ours = r < 0;
	return r == 0 && !w->is_text ? take_sample(w, ret_pays, e) : r;
}

/* ---- coding ---- */

static enum encode_effort effort(const struct work *w)
{
	if (!w->is_text)
		return ENCODE_FAST;
	return w->job.size <= REGISTRY_ENCODE_BEST ? ENCODE_BEST : ENCODE_GOOD;
}

static int to_writer(void *cls, const void *bytes, size_t n, struct err *e)
{
	return blob_writer_write(cls, bytes, n, e);
}

static int begin(struct work *w, struct err *e)
{
	struct encode_options o = {
		.effort = effort(w),
		.size = w->job.size,
		.stop = w->how->stop,
	};
	int r = digest_ctx_new(&w->hash, e);

	for (int i = 0; r == 0 && i < ENCODE_CODINGS; i++) {
		struct form *f = &w->forms[i];
		o.coding = (enum encode_coding)i;
		r = blobs_create(w->registry->blobs, &f->writer, e);
		if (r == 0)
			r = encode_new(&o, to_writer, f->writer, &f->coder, e);
	}
	return r;
}

static int code_piece(void *cls, const uint8_t *bytes, size_t n, struct err *e)
{
	struct work *w = cls;
	int r = digest_ctx_update(w->hash, bytes, n, e);

	for (int i = 0; r == 0 && i < ENCODE_CODINGS; i++)
		r = encode_write(w->forms[i].coder, bytes, n, e);
	if (r == 0)
		r = registry_require_space(w->registry, e);
	if (r == 0)
		r = registry_encode_keep_pace(w->registry, w->how, n, e);
	w->ours |= r < 0;
	return r;
}

static int finish(struct work *w, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < ENCODE_CODINGS; i++) {
		struct form *f = &w->forms[i];
		r = encode_finish(f->coder, e);
		if (r == 0)
			r = blob_writer_finish(f->writer, &f->digest, &f->size, e);
		encode_free(take_ptr(f->coder));
	}
	return r;
}

/* From bytes that are not those that were published nothing is kept. */
static int check_identity(struct work *w, struct err *e)
{
	char key[BLOB_KEY_TEXT], hex[DIGEST_HEX + 1];
	struct digest found;
	int r = digest_ctx_finish(w->hash, &found, e);

	if (r < 0 || digest_eq(&found, &w->job.key.digest))
		return r;
	return err_set(e, ERR_CORRUPT, "blobs/.../%s has other bytes, with SHA-256 %s",
		blob_key_text(&w->job.key, key), digest_hex(&found, hex));
}

static int code(struct work *w, struct err *e)
{
	int r = begin(w, e);

	w->ours = r < 0;
	if (r == 0)
		r = blobs_read(w->registry->blobs, &w->job.key, w->job.size, code_piece, w, e);
	if (r == 0)
		r = check_identity(w, e);
	if (r < 0)
		return r;
	r = finish(w, e);
	w->ours |= r < 0;
	return r;
}

/* ---- keeping ---- */

struct batch {
	struct catalog_blob blobs[ENCODE_CODINGS];
	const char *codings[ENCODE_CODINGS];
	struct blob_writer *writers[ENCODE_CODINGS];
	size_t n;
	uint64_t smallest;
};

static void gather(const struct work *w, struct batch *b)
{
	b->smallest = w->job.size;
	for (int i = 0; i < ENCODE_CODINGS; i++) {
		const struct form *f = &w->forms[i];
		if (!pays(w, w->job.size, f->size))
			continue;
		b->blobs[b->n] = (struct catalog_blob){.digest = f->digest, .size = f->size};
		b->codings[b->n] = encode_name((enum encode_coding)i);
		b->writers[b->n++] = f->writer;
		if (f->size < b->smallest)
			b->smallest = f->size;
	}
}

static int link_all(struct registry *r, const struct batch *b, struct err *e)
{
	struct blob_writer *writers[ENCODE_CODINGS];
	struct blob_key keys[ENCODE_CODINGS];
	size_t n = 0;
	int x;

	for (size_t i = 0; i < b->n; i++)
		if (!b->blobs[i].exists) {
			writers[n] = b->writers[i];
			keys[n++] = b->blobs[i].key;
		}
	x = blobs_seal(r->blobs, writers, n, e);
	for (size_t i = 0; x == 0 && i < n; i++)
		x = blob_writer_link(writers[i], &keys[i], e);
	return x < 0 ? x : blobs_sync(r->blobs, keys, n, e);
}

static int keep_once(const struct work *w, struct batch *b, bool *ret_kept, struct err *e)
{
	struct registry *r = w->registry;
	struct err ignored;
	int x = 0;

	if (b->n > 0)
		x = catalog_stage(r->catalog, b->blobs, b->n, clock_now_ms() + INTENT_MS, e);
	if (x < 0)
		return x;
	x = link_all(r, b, e);
	if (x == 0)
		x = catalog_variant_set(r->catalog, &w->job.key.digest, b->blobs, b->codings, b->n,
			ret_kept, e);
	if (x < 0 && b->n > 0)
		(void)REGISTRY_WITH_BALLAST(r,
			catalog_unstage(r->catalog, b->blobs, b->n, &ignored));
	return x;
}

static int keep(const struct work *w, struct batch *b, bool *ret_kept, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		r = keep_once(w, b, ret_kept, e);
		if (r != -(int)ERR_BLOB_GONE)
			break;
		for (size_t k = 0; k < b->n; k++)
			b->blobs[k].needs_key = true;
	}
	return r;
}

/* Failing to say it to all is made up for by saying it of any. */
static void tell_models(const struct work *w)
{
	CLEANUP_FREE struct catalog_name *names = calloc(MODELS_TOLD, sizeof(*names));
	struct err ignored;
	size_t n = MODELS_TOLD;

	if (!w->how->made)
		return;
	if (!names ||
		catalog_variant_models(w->registry->catalog, &w->job.key.digest, names, MODELS_TOLD,
			&n, &ignored) < 0 ||
		n == MODELS_TOLD) {
		w->how->made(w->how->cls, NULL);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(names[i].text, names[i - 1].text) != 0)
			w->how->made(w->how->cls, names[i].text);
}

/* ---- one file ---- */

/* As a scrub would keep it: a failure to read is one only while the key is live. */
static int found_damaged(struct work *w, struct registry_encoded *ret, struct err *e)
{
	char fault[REGISTRY_VERIFY_FAULT];
	int r;

	(void)snprintf(fault, sizeof(fault), "%s", e->text);
	r = catalog_damage_add(w->registry->catalog, &w->job.key, fault, &ret->damaged, e);
	return r < 0
		? r
		: catalog_variant_defer(w->registry->catalog, &w->job.key.digest, PUT_OFF_MS,
			  false, e);
}

static int judge_and_code(void *arg, struct err *e)
{
	struct work *w = arg;
	int r = judge(w, &w->worth, e);

	return r == 0 && w->worth ? code(w, e) : r;
}

static int look_at(struct work *w, struct registry_encoded *ret, struct err *e)
{
	struct batch b = {.n = 0};
	bool kept = false;
	int r = w->how->apart(w->how->cls, judge_and_code, w, e);

	if (r < 0 && !w->ours && registry_verify_is_fault(e))
		return found_damaged(w, ret, e);
	if (r < 0)
		return r;
	if (w->worth)
		gather(w, &b);
	r = keep(w, &b, &kept, e);
	if (r < 0 || !kept || b.n == 0)
		return r;
	ret->forms = (unsigned)b.n;
	ret->saved = w->job.size - b.smallest;
	tell_models(w);
	return 0;
}

int registry_encode_next(struct registry *r, struct registry_encode *how,
	struct registry_encoded *ret, struct err *e)
{
	CLEANUP(work_done) struct work w = {.registry = r, .how = how};
	struct err ignored;
	int x;

	*ret = (struct registry_encoded){.any = false};
	how->seen = bell_rung(&r->work);
	give_way(r, how);
	x = registry_require_space(r, e);
	if (x == 0)
		x = catalog_variant_next(r->catalog, &w.job, &ret->any, &ret->wait_ms, e);
	if (x < 0 || !ret->any)
		return x;
	if (w.job.damaged || !*w.job.path)
		return catalog_variant_defer(r->catalog, &w.job.key.digest, PUT_OFF_MS,
			!w.job.damaged, e);
	x = look_at(&w, ret, e);
	if (x < 0 && x != -(int)ERR_SHUTTING_DOWN)
		(void)catalog_variant_defer(r->catalog, &w.job.key.digest, FAILED_MS, false,
			&ignored);
	return x;
}
