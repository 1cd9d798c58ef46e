/* SPDX-License-Identifier: Apache-2.0 */
/* What the catalog costs by its size.
 *
 *   bench_scale seed DIR VERSIONS   a catalog of so many versions, ten a model, two files each
 *   bench_scale measure DIR         one line: milliseconds of opening the store, then the median
 *                                   microseconds of each operation, in the order of the table below
 *
 * A publish here is its catalog's share: both transactions, with their waits for the disk. */
#include "common/base/num.h"
#include "common/registry/registry.h"
#include "common/store/catalog_sqlite_conn.h"
#include "common/store/catalog_sqlite_usage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERSIONS_OF_MODEL 10
#define VERSIONS_MAX      UINT64_C(100000000)
#define READS             2000
#define WRITES            100
#define PAGE              50
#define EXPIRES_MS        (UINT64_C(1) << 42)

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void name_of(uint64_t model, char name[CATALOG_NAME_MAX + 1])
{
	(void)snprintf(name, CATALOG_NAME_MAX + 1, "team-%02u/model-%07u", (unsigned)(model % 50),
		(unsigned)model);
}

/* ---- seed ---- */

/* The blobs come from the files, in the order of their digests; so do the sums of usage from the
 * versions. */
static const char seed_sql[] =
	"PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;"
	"BEGIN IMMEDIATE;"
	"INSERT INTO models (name, next_version, latest, created, updated)"
	" WITH RECURSIVE i (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < %llu)"
	" SELECT printf('team-%%02d/model-%%07d', n %% 50, n), %u + 1, %u, now_ms(), now_ms()"
	" FROM i ORDER BY 1;"
	"INSERT INTO versions (model, version, root, created, bytes, info)"
	" WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %u)"
	" SELECT m.name, i.n, lower(hex(randomblob(32))), now_ms(), 2000,"
	" '{\"kind\":\"layers\",\"filling\":\"' || hex(zeroblob(250)) || '\"}'"
	" FROM models m JOIN i;"
	"INSERT INTO version_files (model, version, path, digest)"
	" SELECT model, version, 'model.json', lower(hex(randomblob(32))) FROM versions;"
	"INSERT INTO version_files (model, version, path, digest)"
	" SELECT model, version, 'weights.bin', lower(hex(randomblob(32))) FROM versions;"
	"INSERT INTO blobs (digest, gen, size, touched)"
	" SELECT digest, '0123456789abcdef', 1000, 0 FROM version_files ORDER BY digest;"
	"DELETE FROM usage;"
	"INSERT INTO usage (scope, bytes, versions, own_versions) "
	CATALOG_SQLITE_USAGE_EXPECTED ";"
	"COMMIT; PRAGMA optimize;";

static int seed(const char *dir, uint64_t versions, struct err *e)
{
	uint64_t models = versions / VERSIONS_OF_MODEL;
	const struct registry_options options = {.dir = dir};
	struct registry *registry;
	struct catalog_sqlite_conn c;
	char path[PATH_MAX], sql[4096];
	int r = registry_open(&options, &registry, e);

	if (r < 0)
		return r;
	registry_close(registry);
	(void)snprintf(path, sizeof(path), "%s/catalog.db", dir);
	(void)snprintf(sql, sizeof(sql), seed_sql, (unsigned long long)models, VERSIONS_OF_MODEL,
		VERSIONS_OF_MODEL, VERSIONS_OF_MODEL);
	r = catalog_sqlite_conn_open(path, CATALOG_SQLITE_CONN_WRITE, &c, e);
	if (r < 0)
		return r;
	r = catalog_sqlite_conn_exec(&c, sql, e);
	catalog_sqlite_conn_close(&c);
	return r;
}

/* ---- measure ---- */

struct bench {
	struct catalog *catalog;
	uint64_t models;
	unsigned next; /* of what is published */
};

/* The same numbers in every run: Knuth's MMIX generator, of which the low bits are poor. */
static uint64_t any(uint64_t n)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (state >> 20) % n;
}

static int read_version(struct bench *b, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	char name[CATALOG_NAME_MAX + 1];

	name_of(any(b->models), name);
	return catalog_version(b->catalog, name, 1 + any(VERSIONS_OF_MODEL), &v, e);
}

static int read_latest(struct bench *b, struct err *e)
{
	CLEANUP(catalog_version_free_p) struct catalog_version *v = NULL;
	char name[CATALOG_NAME_MAX + 1];

	name_of(any(b->models), name);
	return catalog_version(b->catalog, name, 0, &v, e);
}

static int take_model(void *cls, const struct catalog_model *m, struct err *e)
{
	(void)e;
	(void)m;
	++*(size_t *)cls;
	return 0;
}

static int list_models(struct bench *b, struct err *e)
{
	char name[CATALOG_NAME_MAX + 1];
	size_t n = 0;

	name_of(any(b->models), name);
	return catalog_list_models(b->catalog, "", name, PAGE, take_model, &n, e);
}

static int take_version(void *cls, const struct catalog_version_row *v, struct err *e)
{
	(void)e;
	(void)v;
	++*(size_t *)cls;
	return 0;
}

static int list_versions(struct bench *b, struct err *e)
{
	char name[CATALOG_NAME_MAX + 1];
	size_t n = 0;

	name_of(any(b->models), name);
	return catalog_list_versions(b->catalog, name, 0, PAGE, take_version, &n, e);
}

static int find_garbage(struct bench *b, struct err *e)
{
	static struct catalog_garbage rows[CATALOG_GARBAGE_BATCH];
	struct catalog_cursor at = {.started = true};
	size_t n;

	for (size_t i = 0; i < 4; i++)
		at.last.bytes[i] = (uint8_t)any(256);
	return catalog_find_garbage(b->catalog, &at, 0, rows, &n, e);
}

static int publish(struct bench *b, struct err *e)
{
	static const struct catalog_file files[] = {{"model.json", 0}, {"weights.bin", 1}};
	struct catalog_blob blobs[2] = {{.size = 1000}, {.size = 1000}};
	char name[CATALOG_NAME_MAX + 1], text[64];
	struct catalog_publish p = {.model = name, .info = "{}", .blobs = blobs, .blobs_n = 2,
		.files = files, .files_n = 2, .who = ""};
	uint64_t version;
	bool deduplicated;
	int r = 0;

	name_of(any(b->models), name);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		int n = snprintf(text, sizeof(text), "%f %u %zu", now_us(), b->next++, i);
		r = digest_of(text, (size_t)n, &blobs[i].digest, e);
	}
	p.root = blobs[0].digest;
	if (r == 0)
		r = catalog_stage(b->catalog, blobs, 2, EXPIRES_MS, e);
	return r < 0 ? r : catalog_publish(b->catalog, &p, &version, &deduplicated, NULL, e);
}

static int move_label(struct bench *b, struct err *e)
{
	char name[CATALOG_NAME_MAX + 1];
	struct catalog_label_move m = {.model = name, .label = "stable",
		.version = 1 + any(VERSIONS_OF_MODEL), .who = ""};
	struct catalog_label label;
	bool created;

	name_of(any(b->models), name);
	return catalog_move_label(b->catalog, &m, &label, &created, e);
}

static const struct {
	int (*run)(struct bench *b, struct err *e);
	size_t times;
} operations[] = {
	{read_version,  READS },
	{read_latest,   READS },
	{list_models,   READS },
	{list_versions, READS },
	{find_garbage,  WRITES},
	{publish,       WRITES},
	{move_label,    WRITES},
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure_one(struct bench *b, size_t op, struct err *e)
{
	double us[READS];
	size_t n = operations[op].times;

	for (size_t i = 0; i < n; i++) {
		double start = now_us();
		int r = operations[op].run(b, e);
		if (r < 0)
			return r;
		us[i] = now_us() - start;
	}
	qsort(us, n, sizeof(*us), compare);
	(void)printf(" %.1f", us[n / 2]);
	return 0;
}

static int count_models(struct bench *b, struct err *e)
{
	size_t n = 0;
	int r = catalog_list_models(b->catalog, "", "", SIZE_MAX, take_model, &n, e);

	b->models = n;
	return r == 0 && n == 0 ? err_set(e, ERR_CONFIG, "there is no model in it") : r;
}

static int measure(const char *dir, struct err *e)
{
	const struct registry_options options = {.dir = dir};
	CLEANUP(registry_close_p) struct registry *registry = NULL;
	struct bench b = {.next = 0};
	double start = now_us();
	int r = registry_open(&options, &registry, e);

	if (r < 0)
		return r;
	(void)printf("%.1f", (now_us() - start) / 1000);
	b.catalog = registry_catalog(registry);
	r = count_models(&b, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(operations); i++)
		r = measure_one(&b, i, e);
	(void)printf("\n");
	return r;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	uint64_t versions = 0;
	struct err e;
	int r;

	if (argc == 4 && strcmp(verb, "seed") == 0 &&
		num_parse(argv[3], strlen(argv[3]), VERSIONS_MAX, &versions)) {
		r = seed(argv[2], versions, &e);
	} else if (argc == 3 && strcmp(verb, "measure") == 0) {
		r = measure(argv[2], &e);
	} else {
		(void)fprintf(stderr, "usage: bench_scale seed DIR VERSIONS | measure DIR\n");
		return 2;
	}
	if (r < 0)
		(void)fprintf(stderr, "bench_scale: %s\n", e.text);
	return r < 0;
}
