/* SPDX-License-Identifier: Apache-2.0 */
#include "client/receive.h"
#include "common/base/fsio.h"
#include "common/base/num.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define TARGET_MAX 8192
#define PIECE      (256 * KIB)

/* ---- names ---- */

static int make_name(char buf[PATH_MAX], const char *folder, const char *path, struct fault *f)
{
	if (snprintf(buf, PATH_MAX, "%s/%s", folder, path) < PATH_MAX)
		return 0;
	return fault_usage(f, "%s/%s has too long a name", folder, path);
}

static int part_name(const struct receive *x, const struct receive_file *file, char buf[PATH_MAX],
	struct fault *f)
{
	char hex[DIGEST_HEX + 1], name[DIGEST_HEX + 64];

	(void)snprintf(name, sizeof(name), RECEIVE_PARTS "/%s-%zu", digest_hex(&file->digest, hex),
		file->number);
	return make_name(buf, x->folder, name, f);
}

/* Each folder on the way to `path` below the one that is there, or all of it. */
static int make_folders(char *path, bool last_too, struct fault *f)
{
	for (char *at = path + 1;; at++) {
		char kept = *at;
		if (kept != '/' && kept != '\0')
			continue;
		if (kept == '\0' && !last_too)
			return 0;
		*at = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return err_sys(&f->e, errno, "cannot make the folder %s", path);
		*at = kept;
		if (kept == '\0')
			return 0;
	}
}

int receive_begin(const struct receive *x, struct fault *f)
{
	char path[PATH_MAX];
	int r = make_name(path, x->folder, RECEIVE_PARTS, f);

	return r < 0 ? r : make_folders(path, true, f);
}

void receive_end(const struct receive *x)
{
	CLEANUP(fault_done) struct fault ignored = {.exit = FAULT_NONE};
	char path[PATH_MAX];

	if (make_name(path, x->folder, RECEIVE_PARTS, &ignored) == 0)
		(void)rmdir(path);
}

int receive_place(const struct receive *x, const struct receive_file *file, struct fault *f)
{
	char part[PATH_MAX], path[PATH_MAX];
	int r = part_name(x, file, part, f);

	if (r == 0)
		r = make_name(path, x->folder, file->path, f);
	if (r == 0)
		r = make_folders(path, false, f);
	if (r == 0 && rename(part, path) < 0)
		r = err_sys(&f->e, errno, "cannot put %s in its place", path);
	return r;
}

/* ---- what is there ---- */

static void count_to(struct receive *x, struct receive_file *file, uint64_t bytes)
{
	if (bytes > file->counted)
		progress_add(x->progress, bytes - file->counted);
	else
		progress_take_back(x->progress, file->counted - bytes);
	file->counted = bytes;
}

static void skip_to(struct receive *x, struct receive_file *file, uint64_t bytes)
{
	if (bytes > file->counted)
		progress_skip(x->progress, bytes - file->counted);
	file->counted = bytes > file->counted ? bytes : file->counted;
}

static int hash_file(int fd, uint64_t n, const char *path, struct digest_ctx *ctx,
	const struct api *a, struct err *e)
{
	CLEANUP_FREE uint8_t *piece = malloc(PIECE);
	int r = piece ? 0 : err_nomem(e);

	for (uint64_t at = 0; r == 0 && at < n; at += PIECE) {
		size_t bytes = n - at < PIECE ? (size_t)(n - at) : PIECE;
		if (api_cancelled(a))
			return err_set(e, ERR_CANCELLED, "interrupted");
		r = fsio_read_at(fd, at, piece, bytes, path, e);
		if (r == 0)
			r = digest_ctx_update(ctx, piece, bytes, e);
	}
	return r;
}

static int look(struct receive *x, const struct api *a, struct receive_file *file, struct fault *f)
{
	CLEANUP(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
	CLEANUP_FD int fd = -1;
	char path[PATH_MAX];
	struct digest found;
	struct stat st;
	int r = make_name(path, x->folder, file->path, f);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_size != file->size)
		return 0;
	r = digest_ctx_new(&ctx, &f->e);
	if (r == 0)
		r = hash_file(fd, file->size, path, ctx, a, &f->e);
	if (r == 0)
		r = digest_ctx_finish(ctx, &found, &f->e);
	file->there = r == 0 && digest_eq(&found, &file->digest);
	if (file->there)
		skip_to(x, file, file->size);
	return r;
}

/* ---- what comes ---- */

struct part {
	struct receive *receive;
	struct receive_file *file;
	struct api *api;
	char path[PATH_MAX];
	int fd;
	uint64_t size; /* bytes that it has, all of them in `ctx` */
	bool began;    /* bytes of this answer have come */
	bool twice;    /* all of it came, and was wrong */
	struct digest_ctx *ctx;
};

static void part_done(struct part *p)
{
	close_fd_p(&p->fd);
	digest_ctx_free(p->ctx);
}

static int empty(struct part *p, struct err *e)
{
	struct digest ignored;

	if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot write %s", p->path);
	p->size = 0;
	count_to(p->receive, p->file, 0);
	return digest_ctx_finish(p->ctx, &ignored, e);
}

/* That of an earlier run goes on; its bytes are read again, for the digest. */
static int open_part(struct part *p, struct fault *f)
{
	struct stat st;
	int r = part_name(p->receive, p->file, p->path, f);

	if (r == 0)
		r = digest_ctx_new(&p->ctx, &f->e);
	if (r < 0)
		return r;
	p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return err_sys(&f->e, errno, "cannot write %s", p->path);
	if ((uint64_t)st.st_size > p->file->size)
		return empty(p, &f->e);
	p->size = (uint64_t)st.st_size;
	r = hash_file(p->fd, p->size, p->path, p->ctx, p->api, &f->e);
	if (r == 0 && lseek(p->fd, 0, SEEK_END) < 0)
		r = err_sys(&f->e, errno, "cannot write %s", p->path);
	if (r == 0)
		skip_to(p->receive, p->file, p->size);
	return r;
}

static int take(void *cls, const struct http_answer *answer, const void *bytes, size_t n,
	struct err *e)
{
	struct part *p = cls;
	int r = 0;

	/* Asked for the rest, and given all of it. */
	if (!p->began && answer->status != 206 && p->size > 0)
		r = empty(p, e);
	p->began = true;
	if (n > p->file->size - p->size)
		return err_set(e, ERR_FETCH_STATUS, "%s: more bytes came than it has",
			p->file->path);
	if (r == 0)
		r = fsio_write_all(p->fd, bytes, n, p->path, e);
	if (r == 0)
		r = digest_ctx_update(p->ctx, bytes, n, e);
	if (r < 0)
		return r;
	p->size += n;
	count_to(p->receive, p->file, p->size);
	atomic_fetch_add(&p->receive->received, n);
	return 0;
}

static int request(struct part *p, struct api_answer *ret, struct fault *f)
{
	CLEANUP_BUF struct buf target = BUF_INIT(TARGET_MAX);
	char range[64];
	struct api_request q = {
		.method = "GET",
		.what = p->file->path,
		.http = {.take = take, .cls = p},
	};
	int r;

	buf_add_str(&target, p->receive->base);
	str_percent_encode_path(str_of(p->file->path), &target);
	r = buf_check(&target, p->file->path, &f->e);
	if (r < 0)
		return r;
	q.target = buf_str(&target);
	(void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", p->size);
	if (p->size > 0)
		q.headers[0] = range;
	p->began = false;
	return api_send(p->api, &q, ret, f);
}

static int broken(const struct part *p, struct fault *f)
{
	(void)err_set(&f->e, ERR_CORRUPT,
		"%s: what came does not have the SHA-256 that the server promised", p->file->path);
	f->exit = FAULT_SERVER;
	return fault_next(f,
		"Tell who runs the server to run `modeld scrub`, and look for a proxy "
		"that changes what passes.");
}

/* With a length that fits what came: a file of another size. */
static int too_short(const struct part *p, struct fault *f)
{
	(void)err_set(&f->e, ERR_FETCH_STATUS, "%s: only %" PRIu64 " of %" PRIu64 " bytes came",
		p->file->path, p->size, p->file->size);
	return fault_as(f, FAULT_SERVER);
}

/* What is whole is what was promised; else it is got once more from the start. */
static int verify(struct part *p, bool *whole, struct fault *f)
{
	struct digest found;
	int r;

	*whole = false;
	if (p->size < p->file->size)
		return 0;
	r = digest_ctx_finish(p->ctx, &found, &f->e);
	if (r < 0)
		return r;
	*whole = digest_eq(&found, &p->file->digest);
	if (*whole)
		return 0;
	if (empty(p, &f->e) < 0)
		return -(int)f->e.code;
	if (p->twice)
		return broken(p, f);
	p->twice = true;
	return 0;
}

static int get(struct part *p, struct fault *f)
{
	uint64_t reached = 0;
	bool whole = false;

	for (unsigned failures = 1;; failures++) {
		CLEANUP_API_ANSWER struct api_answer answer = {.doc = NULL};
		int r = verify(p, &whole, f);
		if (r < 0 || whole)
			return r;
		r = request(p, &answer, f);
		if (r == 0 && p->size == p->file->size)
			continue;
		if (r == 0)
			r = too_short(p, f);
		else if (!crew_may_retry(&answer))
			return r;
		if (p->size > reached) { /* it gets on */
			reached = p->size;
			failures = 1;
		}
		if (!crew_wait(p->api, &answer, failures))
			return r;
		fault_done(f);
		*f = (struct fault){.exit = FAULT_NONE};
	}
}

int receive_file(struct receive *x, struct api *a, struct receive_file *file, struct fault *f)
{
	CLEANUP(part_done) struct part p = {.receive = x, .file = file, .api = a, .fd = -1};
	int r = look(x, a, file, f);

	if (r < 0 || file->there)
		return r;
	r = open_part(&p, f);
	return r < 0 ? r : get(&p, f);
}
