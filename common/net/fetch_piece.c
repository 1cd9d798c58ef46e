/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a body that came and wait to be taken. Memory for them goes from one fetch to the next:
 * fresh memory costs as much as what is put into it. */
#include "common/net/fetch_internal.h"

static struct fetch_piece *get(struct fetcher *f)
{
	struct fetch_piece *p;

	pthread_mutex_lock(&f->lock);
	p = f->spare;
	if (p)
		f->spare = p->next;
	pthread_mutex_unlock(&f->lock);
	return p ? p : malloc(sizeof(*p));
}

bool fetch_piece_add(struct fetch *x, const char *bytes, size_t n)
{
	if (!x->piece)
		x->piece = get(x->f);
	if (!x->piece) {
		(void)err_nomem(&x->fault);
		return true;
	}
	if (n > FETCH_PIECE - x->filled) {
		x->paused = true;
		return false;
	}
	memcpy(x->piece->bytes + x->filled, bytes, n);
	x->filled += n;
	return true;
}

void fetch_piece_leave(struct fetch *x)
{
	struct fetcher *f = x->f;

	if (!x->piece)
		return;
	pthread_mutex_lock(&f->lock);
	x->piece->next = f->spare;
	f->spare = take_ptr(x->piece);
	pthread_mutex_unlock(&f->lock);
}

void fetch_piece_drop_spare(struct fetcher *f)
{
	struct fetch_piece *p;

	while ((p = f->spare)) {
		f->spare = p->next;
		free(p);
	}
}
