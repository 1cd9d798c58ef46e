/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes, reads, label moves, deletions and collections at once on few names. Most worth under
 * ThreadSanitizer. */
#include "common/registry/registry.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"
#include "tests/unit/unit_upload.h"

#include <pthread.h>

#define PUBLISHERS 3
#define READERS    2
#define ROUNDS     25
#define WEIGHTS    3 /* distinct models: the files of one are soon the garbage of another */

static const char *const names[] = {"a", "b"};

static struct registry *registry;
static atomic_bool done;

/* The first thing that went wrong; libcheck is asked by one thread only. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char wrong[1024];

static void note(const char *what, const struct err *e)
{
	pthread_mutex_lock(&lock);
	if (!wrong[0])
		(void)snprintf(wrong, sizeof(wrong), "%s: %s", what, e ? e->text : "");
	pthread_mutex_unlock(&lock);
}

/* True when it worked; what may come in between is no failure. */
static bool worked(const char *what, int r, const struct err *e, enum err_code may_be)
{
	if (r < 0 && r != -(int)may_be && r != -(int)ERR_DELETED && r != -(int)ERR_MODEL_NOT_FOUND)
		note(what, e);
	return r == 0;
}

static void open_registry(void)
{
	struct registry_options o;
	struct err e;

	unit_dir_make();
	o = unit_upload_options();
	ck_ok(registry_open(&o, &registry, &e));
}

static void close_registry(void)
{
	registry_close(registry);
	unit_dir_remove();
}

static const char *weights_of(unsigned i, char buf[9])
{
	memset(buf, '0' + (int)(i % WEIGHTS), 8);
	buf[8] = '\0';
	return buf;
}

/* Both files are there and whole, and the weights all of one publish; or the version is deleted. */
static void check_version(const struct catalog_version *v, const char *weights)
{
	for (size_t i = 0; i < v->files_n; i++) {
		CLEANUP(blob_unref_p) struct blob *b = NULL;
		const struct catalog_version_file *file;
		struct err e;
		int r = registry_open_file(registry, v, v->files[i].path, &file, &b, &e);

		if (!worked("open", r, &e, ERR_NONE) || i == 0)
			continue;
		if (blob_size(b) != 8 || memcmp(blob_data(b), weights, 8) != 0)
			note("wrong bytes", NULL);
	}
}

static void read_ref(const struct ref *ref, const char *weights)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	struct err e;
	int r = registry_resolve(registry, ref, &v, &e);

	if (!worked("resolve", r, &e, ERR_LABEL_NOT_FOUND))
		return;
	if (v->files_n != 2)
		note("not two files", NULL);
	else if (weights)
		check_version(v, weights);
}

static void *publish(void *arg)
{
	unsigned first = *(const unsigned *)arg;

	for (unsigned i = first; i < first + ROUNDS; i++) {
		const char *name = names[i % ARRAY_SIZE(names)];
		struct ref ref = {.kind = REF_VERSION};
		struct published p;
		char weights[9];
		struct err e;

		if (!worked("publish",
			    unit_upload_model(registry, name, weights_of(i, weights), &p, &e), &e,
			    ERR_NONE))
			continue;
		(void)snprintf(ref.name, sizeof(ref.name), "%s", name);
		ref.version = p.version;
		read_ref(&ref, weights);
	}
	return NULL;
}

static void *read_all(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !atomic_load(&done); i++) {
		struct ref ref = {.kind = i % 3 ? REF_LATEST : REF_LABEL, .label = "stable"};

		(void)snprintf(ref.name, sizeof(ref.name), "%s", names[i % ARRAY_SIZE(names)]);
		read_ref(&ref, NULL);
	}
	return NULL;
}

static uint64_t latest_of(const char *name)
{
	struct catalog_model m;
	struct err e;

	return worked("model", catalog_model(registry_catalog(registry), name, &m, &e), &e,
		       ERR_NONE)
		? m.latest
		: 0;
}

static void *move_labels(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !atomic_load(&done); i++) {
		const char *name = names[i % ARRAY_SIZE(names)];
		struct catalog_label_move m = {.model = name, .label = "stable", .who = "mover"};
		struct catalog_label now;
		bool created;
		struct err e;

		m.version = latest_of(name);
		if (m.version == 0)
			continue;
		if (i % 5 == 0)
			(void)worked("drop", registry_drop_label(registry, &m, &e), &e,
				ERR_LABEL_NOT_FOUND);
		else
			(void)worked("move",
				registry_move_label(registry, &m, &now, &created, &e), &e,
				ERR_NONE);
	}
	return NULL;
}

static void *delete_some(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !atomic_load(&done); i++) {
		const char *name = names[i % ARRAY_SIZE(names)];
		uint64_t latest = latest_of(name);
		struct err e;

		if (latest == 0)
			continue;
		if (i % 7 == 0)
			(void)worked("delete model", registry_delete_model(registry, name, "", &e),
				&e, ERR_NONE);
		else
			(void)worked("delete",
				registry_delete_version(registry, name, latest, &e), &e,
				ERR_CONFLICT);
	}
	return NULL;
}

/* `arg`: a registry of its own, as another process has it. */
static void *collect(void *arg)
{
	static const struct registry_collect how = {.grace_ms = 0};

	while (!atomic_load(&done)) {
		struct registry_collected got;
		struct err e;
		(void)worked("collect", registry_collect(arg, &how, &got, &e), &e, ERR_NONE);
	}
	return NULL;
}

/* Nothing but what the versions that are left hold. */
static void check_rest(void)
{
	static const struct registry_collect how = {.grace_ms = 0};
	struct registry_collected got;
	char weights[9];
	struct published p;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (latest_of(names[i]) > 0)
			ck_ok(registry_delete_model(registry, names[i], "", &e));
		ck_ok(unit_upload_model(registry, names[i], weights_of(0, weights), &p, &e));
	}
	ck_ok(registry_collect(registry, &how, &got, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}

START_TEST(everything_at_once_loses_nothing)
{
	const struct registry_options o = unit_upload_options();
	CLEANUP(registry_close_p) struct registry *beside = NULL;
	pthread_t publishers[PUBLISHERS], others[READERS + 4];
	unsigned firsts[PUBLISHERS];
	size_t n = 0;
	struct err e;

	ck_ok(registry_open_beside(&o, &beside, &e));
	for (size_t i = 0; i < PUBLISHERS; i++) {
		firsts[i] = (unsigned)i;
		ck_assert_int_eq(pthread_create(&publishers[i], NULL, publish, &firsts[i]), 0);
	}
	for (size_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&others[n++], NULL, read_all, NULL), 0);
	ck_assert_int_eq(pthread_create(&others[n++], NULL, move_labels, NULL), 0);
	ck_assert_int_eq(pthread_create(&others[n++], NULL, delete_some, NULL), 0);
	ck_assert_int_eq(pthread_create(&others[n++], NULL, collect, registry), 0);
	ck_assert_int_eq(pthread_create(&others[n++], NULL, collect, beside), 0);
	for (size_t i = 0; i < PUBLISHERS; i++)
		pthread_join(publishers[i], NULL);
	atomic_store(&done, true);
	for (size_t i = 0; i < n; i++)
		pthread_join(others[i], NULL);
	ck_assert_str_eq(wrong, "");
	check_rest();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("registry race");
	TCase *t = tcase_create("registry race");

	tcase_add_checked_fixture(t, open_registry, close_registry);
	tcase_set_timeout(t, 300);
	tcase_add_test(t, everything_at_once_loses_nothing);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
