/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/catalog_job.h"
#include "server/import/importer_internal.h"

#include <stdio.h>
#include <string.h>

static void lock(struct importer *m)
{
	(void)pthread_mutex_lock(&m->lock);
}

static void unlock(struct importer *m)
{
	(void)pthread_mutex_unlock(&m->lock);
}

static bool has_ended(const struct catalog_job *j)
{
	return j->state != CATALOG_JOB_QUEUED && j->state != CATALOG_JOB_RUNNING;
}

/* One that ended just before was not told of it. */
static int look_once(struct import_watch *w, struct err *e)
{
	struct catalog_job now;
	int r = catalog_job_read(w->importer->catalog, w->id, &now, e);

	if (r < 0)
		return r;
	if (has_ended(&now))
		importer_tell(w->importer, w->id);
	catalog_job_clear(&now);
	return 0;
}

int importer_watch(struct importer *m, const char *id, void (*changed)(void *cls), void *cls,
	struct import_watch **ret, struct err *e)
{
	struct import_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_nomem(e);
	*w = (struct import_watch){.importer = m, .changed = changed, .cls = cls};
	(void)snprintf(w->id, sizeof(w->id), "%s", id);
	lock(m);
	w->next = m->watches;
	m->watches = w;
	unlock(m);
	bell_ring(&m->beat);
	r = look_once(w, e);
	if (r < 0)
		importer_unwatch(w);
	else
		*ret = w;
	return r;
}

void importer_unwatch(struct import_watch *w)
{
	struct import_watch **at;

	if (!w)
		return;
	lock(w->importer);
	at = &w->importer->watches;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	unlock(w->importer);
	free(w);
}

/* Under the lock, for which importer_unwatch() waits: who was told is there until it returns. */
void importer_tell(struct importer *m, const char *id)
{
	lock(m);
	for (struct import_watch *w = m->watches; w; w = w->next)
		if (strcmp(w->id, id) == 0)
			w->changed(w->cls);
	unlock(m);
}

bool importer_is_watched(struct importer *m)
{
	bool is;

	lock(m);
	is = m->watches != NULL;
	unlock(m);
	return is;
}
