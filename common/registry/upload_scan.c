/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_scan.h"
#include "common/model/filepath.h"
#include "common/model/modeljson.h"
#include "common/registry/upload_paths.h"

#include <pthread.h>
#include <unistd.h>

#define AHEAD_BYTES (1u << 20) /* of one shard, before a thread is worth its while */
#define PIECE       BLOB_WRITE_BUFFER

/* A file of the upload as the scanning thread knows it. */
struct source {
	const char *part_name, *filename; /* the upload's, or `path` */
	char *path;                       /* of one that is a blob of the store; NULL */
	struct blob_key stored;           /* then */
	const struct blob_writer *writer; /* else */
	uint64_t readable;
	bool whole;
};

/* Of which bytes a file was when it was scanned. */
struct used {
	const struct blob_writer *writer; /* NULL: the blob with this digest */
	struct digest digest;
};

struct upload_scan {
	struct registry *registry;
	struct modeljson *json; /* NULL: the manifest is the caller's */
	struct blob *json_bytes;
	struct used json_used;
	const struct manifest *manifest;
	struct used *used; /* for each path */
	struct weightscan *scan;
	uint8_t *piece;
	struct err failure;

	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* any of what follows */
	struct source *sources;
	size_t sources_n, sources_cap;
	bool all_there; /* no more files come */
	bool stop;
};

/* ---- a scan and its parts ---- */

static int scan_new(struct registry *registry, struct upload_scan **ret, struct err *e)
{
	struct upload_scan *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(e);
	s->registry = registry;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->moved, NULL);
	*ret = s;
	return 0;
}

static void end_thread(struct upload_scan *s)
{
	if (!s->threaded)
		return;
	(void)pthread_join(s->thread, NULL);
	s->threaded = false;
	atomic_fetch_sub(&s->registry->scanners, 1);
}

void upload_scan_free(struct upload_scan *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_cond_signal(&s->moved);
	(void)pthread_mutex_unlock(&s->lock);
	end_thread(s);
	weightscan_free(s->scan);
	modeljson_free(s->json);
	blob_unref(s->json_bytes);
	(void)pthread_cond_destroy(&s->moved);
	(void)pthread_mutex_destroy(&s->lock);
	for (size_t i = 0; i < s->sources_n; i++)
		free(s->sources[i].path);
	free(s->used);
	free(s->piece);
	free(s->sources);
	free(s);
}

DEFINE_CLEANUP(struct upload_scan, upload_scan_free)

/* Hashing what is small takes less than coming back to it. While the digests of the rest are
 * computed its model.json is in memory, which a large one must not be. */
static bool leaves_digests(const struct manifest *m, uint64_t json_bytes)
{
	return m->fixed_bytes > UPLOAD_SCAN_HASHED && json_bytes <= UPLOAD_SCAN_JSON_MAX;
}

static int prepare(struct upload_scan *s, const struct manifest *m, uint64_t json_bytes,
	struct err *e)
{
	int r;

	s->manifest = m;
	s->used = calloc(m->paths_n + 1, sizeof(*s->used));
	s->piece = malloc(PIECE);
	if (!s->used || !s->piece)
		return err_nomem(e);
	r = weightscan_new(m, &s->scan, e);
	if (r == 0 && leaves_digests(m, json_bytes))
		weightscan_leave_digests(s->scan);
	return r;
}

/* Scan `n` bytes of a shard that is being written from `*offset` on. */
static int scan_bytes(struct upload_scan *s, const struct blob_writer *shard, uint64_t *offset,
	uint64_t n, struct err *e)
{
	while (n > 0) {
		size_t piece = n < PIECE ? (size_t)n : PIECE;
		int r = blob_writer_read_at(shard, *offset, s->piece, piece, e);
		if (r == 0)
			r = weightscan_feed(s->scan, s->piece, piece, e);
		if (r < 0)
			return r;
		*offset += piece;
		n -= piece;
	}
	return 0;
}

/* All of one that is a blob. */
static int scan_blob(struct upload_scan *s, const struct source *shard, struct err *e)
{
	CLEANUP(blob_reader_close_p) struct blob_reader *file = NULL;
	int r = blobs_reader_open(s->registry->blobs, &shard->stored, shard->readable, &file, e);

	for (uint64_t at = 0; r == 0 && at < shard->readable; at += PIECE) {
		uint64_t left = shard->readable - at;
		size_t n = left < PIECE ? (size_t)left : PIECE;
		r = blob_reader_read(file, at, s->piece, n, e);
		if (r == 0)
			r = weightscan_feed(s->scan, s->piece, n, e);
	}
	return r;
}

/* All of one that has arrived. */
static int scan_file(struct upload_scan *s, const struct upload *u,
	const struct upload_file *shard, struct err *e)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < shard->size; at += PIECE) {
		uint64_t left = shard->size - at;
		size_t n = left < PIECE ? (size_t)left : PIECE;
		r = upload_file_read_at(u, shard, at, s->piece, n, e);
		if (r == 0)
			r = weightscan_feed(s->scan, s->piece, n, e);
	}
	return r;
}

/* ---- beside the arrival: the thread ---- */

static const struct source *find_source(const struct upload_scan *s, const char *path)
{
	for (size_t i = 0; i < s->sources_n; i++)
		if (upload_paths_is(s->sources[i].filename, path) ||
			upload_paths_is(s->sources[i].part_name, path))
			return &s->sources[i];
	return NULL;
}

/* Wait until there is more of a shard than `offset`, or all of it, or no hope. */
static bool wait_for(struct upload_scan *s, const char *path, uint64_t offset, struct source *ret)
{
	const struct source *found;
	bool there;

	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		found = find_source(s, path);
		there = found && (found->readable > offset || found->whole);
		if (there || s->stop || (s->all_there && !found))
			break;
		(void)pthread_cond_wait(&s->moved, &s->lock);
	}
	there = there && !s->stop;
	if (there)
		*ret = *found;
	(void)pthread_mutex_unlock(&s->lock);
	return there;
}

static int follow_shard(struct upload_scan *s, size_t i, struct err *e)
{
	const char *path = s->manifest->paths[i];
	uint64_t offset = 0;
	struct source shard;

	do {
		int r;
		if (!wait_for(s, path, offset, &shard))
			return err_set(e, ERR_INCOMPLETE_BODY, "%s did not arrive", path);
		s->used[i] = (struct used){shard.writer, shard.stored.digest};
		r = shard.writer ? scan_bytes(s, shard.writer, &offset,
					   shard.readable - offset, e)
				 : scan_blob(s, &shard, e);
		if (r < 0)
			return r;
	} while (!shard.whole);
	return 0;
}

static int read_manifest(struct upload_scan *s, struct err *e)
{
	CLEANUP_FINDINGS struct findings ignored;
	int r;

	findings_init(&ignored);
	r = modeljson_parse((const char *)blob_data(s->json_bytes),
		(size_t)blob_size(s->json_bytes), &s->json, &ignored, e);
	if (r == 0 && (!s->json || !s->json->manifest))
		r = err_set(e, ERR_NOT_LOADABLE, "there is no manifest to follow");
	return r;
}

static int follow(struct upload_scan *s, struct err *e)
{
	int r = read_manifest(s, e);

	if (r == 0)
		r = prepare(s, s->json->manifest, blob_size(s->json_bytes), e);
	for (size_t i = 0; r == 0 && i < s->manifest->paths_n; i++)
		r = follow_shard(s, i, e);
	return r < 0 ? r : weightscan_finish(s->scan, e);
}

static void *thread_main(void *scan)
{
	struct upload_scan *s = scan;

	(void)follow(s, &s->failure);
	return NULL;
}

/* ---- starting it ---- */

static const struct upload_file *whole_model_json(const struct upload *u)
{
	for (size_t i = 0; i < u->files_n; i++)
		if (upload_paths_is(u->files[i].filename, FILEPATH_MODEL) ||
			upload_paths_is(u->files[i].part_name, FILEPATH_MODEL))
			return &u->files[i];
	return NULL;
}

static bool take_slot(struct registry *r)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (atomic_fetch_add(&r->scanners, 1) < processors)
		return true;
	atomic_fetch_sub(&r->scanners, 1);
	return false;
}

/* Without a thread that can be had *ret_started is false. */
static void start_thread(struct upload_scan *s, bool *ret_started)
{
	*ret_started = take_slot(s->registry);
	if (*ret_started && pthread_create(&s->thread, NULL, thread_main, s) != 0) {
		atomic_fetch_sub(&s->registry->scanners, 1);
		*ret_started = false;
	}
	s->threaded = *ret_started;
}

static int add_source(struct upload_scan *s, const struct source *source, struct err *e)
{
	if (s->sources_n == s->sources_cap) {
		size_t cap = s->sources_cap ? 2 * s->sources_cap : 16;
		struct source *more = reallocarray(s->sources, cap, sizeof(*more));
		if (!more)
			return err_nomem(e);
		s->sources = more;
		s->sources_cap = cap;
	}
	s->sources[s->sources_n++] = *source;
	return 0;
}

static int add_file(struct upload_scan *s, const struct upload_file *f,
	const struct blob_writer *writer, struct err *e)
{
	return add_source(s,
		&(struct source){
			.part_name = f->part_name,
			.filename = f->filename,
			.writer = writer,
		},
		e);
}

/* What has arrived before the thread began. */
static int add_whole_files(struct upload_scan *s, const struct upload *u, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->files_n; i++) {
		r = add_file(s, &u->files[i], u->files[i].writer, e);
		if (r == 0) {
			s->sources[i].readable = u->files[i].size;
			s->sources[i].whole = true;
		}
	}
	return r;
}

static int start(struct upload *u, const struct upload_file *json, struct err *e)
{
	CLEANUP(upload_scan_free_p) struct upload_scan *s = NULL;
	bool started;
	int r = scan_new(u->registry, &s, e);

	if (r == 0)
		r = blob_writer_load(json->writer, &s->json_bytes, e);
	if (r == 0)
		r = add_whole_files(s, u, e);
	if (r < 0)
		return r;
	s->json_used.writer = json->writer;
	start_thread(s, &started);
	if (started)
		u->scan = take_ptr(s);
	return 0;
}

int upload_scan_follow(struct registry *registry, struct blob *json, const struct digest *digest,
	struct upload_scan **ret, struct err *e)
{
	CLEANUP(upload_scan_free_p) struct upload_scan *s = NULL;
	bool started;
	int r = scan_new(registry, &s, e);

	if (r < 0)
		return r;
	s->json_bytes = blob_ref(json);
	s->json_used.digest = *digest;
	start_thread(s, &started);
	*ret = started ? take_ptr(s) : NULL;
	return 0;
}

/* Without memory it is scanned later. */
void upload_scan_there(struct upload_scan *s, const char *path, const struct blob_key *key,
	uint64_t size)
{
	struct source x = {.path = strdup(path), .stored = *key, .readable = size, .whole = true};
	struct err ignored;

	x.part_name = x.filename = x.path;
	(void)pthread_mutex_lock(&s->lock);
	if (!x.path || add_source(s, &x, &ignored) < 0) {
		s->stop = true;
		free(x.path);
	}
	(void)pthread_cond_signal(&s->moved);
	(void)pthread_mutex_unlock(&s->lock);
}

/* A thread that cannot be had is no failure: the pass is made later then. */
static void consider_starting(struct upload *u)
{
	const struct upload_file *json = whole_model_json(u);
	struct err ignored;

	if (json && json->size > 0 && json->size <= UPLOAD_SCAN_JSON_MAX)
		(void)start(u, json, &ignored);
	u->scan_considered = true;
}

/* ---- telling it ---- */

static void tell(struct upload *u, const struct upload_file *f, const struct blob_writer *writer,
	uint64_t readable, bool whole)
{
	struct upload_scan *s = u->scan;
	struct source *last;
	struct err e;

	(void)pthread_mutex_lock(&s->lock);
	if ((s->sources_n == 0 || s->sources[s->sources_n - 1].writer != writer) &&
		add_file(s, f, writer, &e) < 0) {
		s->stop = true;
	} else {
		last = &s->sources[s->sources_n - 1];
		last->readable = readable;
		last->whole = whole;
	}
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_cond_signal(&s->moved); /* the thread finds the lock free */
	u->scan_told = readable;
}

void upload_scan_progress(struct upload *u)
{
	const struct upload_file *f = u->files + u->files_n; /* arriving */
	const struct blob_writer *writer;
	uint64_t readable;

	if (u->arriving) {
		writer = ingest_writer(u->arriving);
		readable = blob_writer_readable(writer);
		if (!u->scan && !u->scan_considered && readable >= AHEAD_BYTES)
			consider_starting(u);
		if (u->scan && readable != u->scan_told)
			tell(u, f, writer, readable, false);
		return;
	}
	u->scan_considered = false;
	if (u->scan && u->files_n > 0) {
		f--;
		tell(u, f, f->writer, f->size, true);
	}
}

/* ---- the result ---- */

static void wait_for_thread(struct upload_scan *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->all_there = true;
	(void)pthread_cond_signal(&s->moved);
	(void)pthread_mutex_unlock(&s->lock);
	end_thread(s);
}

static bool is_same(const struct used *used, const struct upload_file *f)
{
	return f->writer ? f->writer == used->writer
			 : !used->writer && digest_eq(&f->digest, &used->digest);
}

/* It went by the names that it saw; what counts is which files have these paths now. */
static bool is_of(const struct upload_scan *s, const struct upload *u, const struct manifest *m)
{
	if (s->failure.code != ERR_NONE || s->manifest->paths_n != m->paths_n ||
		!is_same(&s->json_used, upload_paths_find(u, FILEPATH_MODEL)))
		return false;
	for (size_t i = 0; i < m->paths_n; i++)
		if (!is_same(&s->used[i], upload_paths_find(u, m->paths[i])))
			return false;
	return true;
}

static int scan_now(struct upload *u, const struct manifest *m, struct err *e)
{
	CLEANUP(upload_scan_free_p) struct upload_scan *s = NULL;
	const struct upload_file *json = upload_paths_find(u, FILEPATH_MODEL);
	int r = scan_new(u->registry, &s, e);

	if (r == 0)
		r = prepare(s, m, json->size, e);
	for (size_t i = 0; r == 0 && i < m->paths_n; i++)
		r = scan_file(s, u, upload_paths_find(u, m->paths[i]), e);
	if (r == 0)
		r = weightscan_finish(s->scan, e);
	if (r < 0)
		return r;
	u->scan = take_ptr(s);
	return 0;
}

/* A weight that is a whole file has its digest. */
static void take_digests(struct upload *u, const struct manifest *m)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < m->paths_n; i++) {
		const struct upload_file *f = upload_paths_find(u, m->paths[i]);
		weightscan_slice(u->scan->scan, offset, f->size, &f->digest);
		offset += f->size;
	}
}

int upload_scan_finish(struct upload *u, const struct manifest *m, const struct weightscan **ret,
	struct err *e)
{
	int r = 0;

	if (u->scan) {
		wait_for_thread(u->scan);
		if (!is_of(u->scan, u, m))
			upload_scan_free(take_ptr(u->scan));
	}
	if (!u->scan)
		r = scan_now(u, m, e);
	if (r < 0)
		return r;
	take_digests(u, m);
	*ret = u->scan->scan;
	return 0;
}
