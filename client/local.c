/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local.h"
#include "client/progress.h"
#include "common/base/fsio.h"
#include "common/base/num.h"
#include "common/ingest/archive.h"
#include "common/model/filepath.h"
#include "common/model/ref.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define SKIPPED_MAX 10000 /* entries of an archive beside files */

struct item {
	char *name; /* relative to the folder, or as the archive calls it */
	uint64_t size;
};

struct local {
	const struct run *run;
	char *folder;
	bool temporary;     /* its files are called by their numbers */
	struct item *items; /* by id */
	size_t items_n, items_cap;
	uint64_t bytes;
	struct lint_files view;
	int fd;       /* of the item that is being read, or -1 */
	size_t fd_of; /* its id */
	int archive;  /* that is being unpacked, or -1 */
	int out;      /* the file that it goes to, or -1 */
	struct progress *progress; /* of what is read, or NULL */
};

static const char *place_of(const struct local *l, size_t id, char buf[PATH_MAX])
{
	int n = l->temporary ? snprintf(buf, PATH_MAX, "%s/%zu", l->folder, id)
			     : snprintf(buf, PATH_MAX, "%s/%s", l->folder, l->items[id].name);

	return n < PATH_MAX ? buf : ""; /* which no open() takes */
}

void local_close(struct local *l)
{
	char path[PATH_MAX];

	if (!l)
		return;
	close_fd_p(&l->fd);
	close_fd_p(&l->archive);
	close_fd_p(&l->out);
	for (size_t i = 0; i < l->items_n; i++) {
		if (l->temporary)
			(void)unlink(place_of(l, i, path));
		free(l->items[i].name);
	}
	if (l->temporary)
		(void)rmdir(l->folder);
	free(l->folder);
	free(l->items);
	free(l->view.files);
	free(l);
}

static int add_item(struct local *l, struct str name, uint64_t size, struct fault *f)
{
	char *copy;

	if (l->items_n == LOCAL_FILES_MAX) {
		(void)err_set(&f->e, ERR_TOO_LARGE, "%s has more than %d files", l->folder,
			LOCAL_FILES_MAX);
		return fault_as(f, FAULT_INVALID);
	}
	if (l->items_n == l->items_cap) {
		size_t cap = l->items_cap ? 2 * l->items_cap : 64;
		struct item *more = reallocarray(l->items, cap, sizeof(*more));
		if (!more)
			return err_nomem(&f->e);
		l->items = more;
		l->items_cap = cap;
	}
	copy = str_dup(name);
	if (!copy)
		return err_nomem(&f->e);
	l->items[l->items_n++] = (struct item){.name = copy, .size = size};
	return 0;
}

/* ---- a folder ---- */

static int add_folder(struct local *l, const char *below, unsigned depth, struct fault *f);

static int add_entry(struct local *l, int dirfd, const char *below, const char *entry,
	unsigned depth, struct fault *f)
{
	char name[PATH_MAX];
	struct stat st, self;

	if (snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", entry) >=
		(int)sizeof(name))
		return fault_usage(f, "%s/%s has too long a name", l->folder, below);
	if (fstatat(dirfd, entry, &self, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(dirfd, entry, &st, 0) < 0)
		return err_sys(&f->e, errno, "%s/%s", l->folder, name);
	if (S_ISREG(st.st_mode))
		return add_item(l, str_of(name), (uint64_t)st.st_size, f);
	if (S_ISDIR(self.st_mode))
		return add_folder(l, name, depth + 1, f);
	return fault_usage(f, "%s/%s is %s", l->folder, name,
		S_ISDIR(st.st_mode) ? "a link to a folder, which is not followed" : "no file");
}

static void close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int add_folder(struct local *l, const char *below, unsigned depth, struct fault *f)
{
	CLEANUP(close_dir) DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	int r = 0;

	if (depth > LOCAL_DEPTH_MAX)
		return fault_usage(f, "%s has folders in folders more than %d deep", l->folder,
			LOCAL_DEPTH_MAX);
	if (snprintf(path, sizeof(path), "%s/%s", l->folder, below) >= (int)sizeof(path))
		return fault_usage(f, "%s/%s has too long a name", l->folder, below);
	d = opendir(path);
	if (!d)
		return err_sys(&f->e, errno, "%s", path);
	while (r == 0 && (errno = 0, entry = readdir(d)))
		if (entry->d_name[0] != '.')
			r = add_entry(l, dirfd(d), below, entry->d_name, depth, f);
	if (r == 0 && errno)
		r = err_sys(&f->e, errno, "%s", path);
	return r;
}

/* ---- an archive ---- */

static int on_begin(void *cls, struct str name, struct err *e)
{
	struct local *l = cls;
	struct fault f = {.exit = FAULT_NONE};
	struct str path = filepath_strip(name);
	char place[PATH_MAX];
	int r = filepath_check(path, e);

	if (r < 0)
		return err_prefix(e, "the entry \"%.*s\"", name.n < 200 ? (int)name.n : 200,
			name.p);
	r = add_item(l, path, 0, &f);
	if (r < 0) {
		*e = f.e;
		return r;
	}
	l->out = open(place_of(l, l->items_n - 1, place), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		0600);
	return l->out < 0 ? err_sys(e, errno, "cannot write %s", place) : 0;
}

static int on_data(void *cls, const void *bytes, size_t n, struct err *e)
{
	struct local *l = cls;

	if (atomic_load(l->run->cancel))
		return err_set(e, ERR_CANCELLED, "interrupted");
	l->items[l->items_n - 1].size += n;
	return fsio_write_all(l->out, bytes, n, "the unpacked archive", e);
}

static int on_end(void *cls, struct err *e)
{
	struct local *l = cls;

	(void)e;
	close_fd_p(&l->out);
	return 0;
}

static int on_read(void *cls, uint64_t at, void *to, size_t n, struct err *e)
{
	const struct local *l = cls;

	return fsio_read_at(l->archive, at, to, n, "the archive", e);
}

static int kind_of(int fd, uint64_t size, enum archive_kind *ret, struct err *e)
{
	uint8_t magic[4] = {0};
	int r = fsio_read_at(fd, 0, magic, size < 4 ? (size_t)size : 4, "the archive", e);

	*ret = ARCHIVE_KIND_TAR;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		*ret = ARCHIVE_KIND_TAR_GZ;
	else if (magic[0] == 'P' && magic[1] == 'K')
		*ret = ARCHIVE_KIND_ZIP;
	return r;
}

static int make_folder(struct local *l, struct fault *f)
{
	const char *tmp = getenv("TMPDIR");

	free(l->folder);
	if (asprintf(&l->folder, "%s/modelctl-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0) {
		l->folder = NULL;
		return err_nomem(&f->e);
	}
	if (!mkdtemp(l->folder))
		return err_sys(&f->e, errno, "cannot make %s", l->folder);
	l->temporary = true;
	return 0;
}

static int unpack(struct local *l, const char *path, uint64_t size, struct fault *f)
{
	static const struct archive_files files = {on_begin, on_data, on_end};
	const struct archive_limits limits = {
		.max_entries = LOCAL_FILES_MAX + SKIPPED_MAX,
		.max_expansion = LOCAL_EXPANSION,
	};
	const struct archive_source source = {.n = size, .read = on_read, .cls = l};
	enum archive_kind kind;
	int r = make_folder(l, f);

	if (r == 0)
		r = kind_of(l->archive, size, &kind, &f->e);
	if (r == 0)
		r = archive_unpack(kind, &source, &limits, &files, l, &f->e);
	if (r == 0 && l->items_n == 0)
		r = err_set(&f->e, ERR_BAD_ARCHIVE, "there is no file in the archive");
	close_fd_p(&l->archive);
	l->view.from_archive = true;
	return r < 0 ? err_prefix(&f->e, "%s", path) : 0;
}

/* ---- as lint_files.h sees it ---- */

int local_file_open(const struct local *l, size_t id, int *ret_fd, struct fault *f)
{
	char place[PATH_MAX];
	struct stat st;
	CLEANUP_FD int fd = open(place_of(l, id, place), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(&f->e, errno, "cannot read %s", place);
	if ((uint64_t)st.st_size != l->items[id].size) {
		(void)err_set(&f->e, ERR_IO_FAILED, "%s changed while it was read", place);
		return fault_next(f, "Try again when nobody writes there.");
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int read_at(void *cls, size_t id, uint64_t at, void *to, size_t n, struct err *e)
{
	struct local *l = cls;
	struct fault f = {.exit = FAULT_NONE};

	if (atomic_load(l->run->cancel))
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (l->fd < 0 || l->fd_of != id) {
		close_fd_p(&l->fd);
		if (local_file_open(l, id, &l->fd, &f) < 0) {
			*e = f.e;
			return -(int)e->code;
		}
		l->fd_of = id;
	}
	if (l->progress) {
		progress_add(l->progress, n);
		progress_tick(l->progress);
	}
	return fsio_read_at(l->fd, at, to, n, l->items[id].name, e);
}

static int hold(void *cls, size_t id, struct lint_bytes *ret, struct err *e)
{
	struct local *l = cls;
	size_t n = (size_t)l->items[id].size;
	CLEANUP_FREE char *bytes = malloc(n + 1);
	int r = bytes ? 0 : err_nomem(e);

	if (r == 0 && n > 0)
		r = read_at(l, id, 0, bytes, n, e);
	if (r < 0)
		return r;
	ret->data = ret->owner = take_ptr(bytes);
	ret->n = n;
	return 0;
}

static void drop(struct lint_bytes *bytes)
{
	free(bytes->owner);
}

static int make_view(struct local *l, struct fault *f)
{
	l->view.files = calloc(l->items_n + 1, sizeof(*l->view.files));
	if (!l->view.files)
		return err_nomem(&f->e);
	l->view.n = l->items_n;
	l->view.max_model_json = LOCAL_JSON_MAX;
	l->view.read_at = read_at;
	l->view.hold = hold;
	l->view.drop = drop;
	l->view.cls = l;
	for (size_t i = 0; i < l->items_n; i++) {
		l->view.files[i] = (struct lint_file){
			.part_name = "",
			.filename = l->items[i].name,
			.id = i,
			.size = l->items[i].size,
		};
		if (!num_add(l->bytes, l->items[i].size, &l->bytes))
			return err_set(&f->e, ERR_TOO_LARGE, "the files are too large to count");
	}
	return 0;
}

/* ---- opening ---- */

static int read_place(struct local *l, const char *path, struct fault *f)
{
	struct stat st;

	l->archive = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (l->archive < 0 || fstat(l->archive, &st) < 0)
		return err_sys(&f->e, errno, "%s", path);
	if (S_ISREG(st.st_mode))
		return unpack(l, path, (uint64_t)st.st_size, f);
	close_fd_p(&l->archive);
	if (!S_ISDIR(st.st_mode))
		return fault_usage(f, "%s is neither a folder nor an archive", path);
	int r = add_folder(l, "", 0, f);
	if (r == 0 && l->items_n == 0) {
		(void)err_set(&f->e, ERR_NOT_LOADABLE, "there is no file in %s", path);
		return fault_as(f, FAULT_INVALID);
	}
	return r;
}

int local_open(const struct run *run, const char *path, struct local **ret, struct fault *f)
{
	CLEANUP(local_close_p) struct local *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_nomem(&f->e);
	l->run = run;
	l->fd = l->archive = l->out = -1;
	l->folder = strdup(path);
	if (!l->folder)
		return err_nomem(&f->e);
	r = read_place(l, path, f);
	if (r == 0)
		r = make_view(l, f);
	if (r == 0)
		*ret = take_ptr(l);
	return r;
}

struct lint_files *local_files(struct local *l)
{
	return &l->view;
}

uint64_t local_bytes(const struct local *l)
{
	return l->bytes;
}

int local_is(const char *text, bool *ret, struct fault *f)
{
	struct ref ref;
	struct err ignored;

	*ret = access(text, F_OK) == 0;
	if (*ret || ref_parse(str_of(text), &ref, &ignored) == 0)
		return 0;
	return fault_usage(f, "\"%s\" is neither a folder, nor an archive, nor a REF", text);
}

int local_policy(const struct args *a, struct finding_policy *ret, struct fault *f)
{
	CLEANUP_FREE char **settings = calloc(a->given_n + 1, sizeof(*settings));
	size_t n = 0;
	int r = settings ? 0 : err_nomem(&f->e);

	finding_policy_init(ret);
	for (size_t i = 0; r == 0 && i < a->given_n; i++) {
		if (a->given[i].option != USAGE_RULE)
			continue;
		settings[n] = strdup(a->given[i].value);
		r = settings[n++] ? 0 : err_nomem(&f->e);
	}
	if (r == 0 && finding_policy_read(ret, settings, n, &f->e) < 0) {
		(void)err_prefix(&f->e, "--rule");
		f->exit = FAULT_USAGE;
		r = fault_next(f, "It is ID=error, ID=warning or ID=off; `modeld rules` and "
				  "modeld-rules(7) list the rules.");
	}
	for (size_t i = 0; settings && i < n; i++)
		free(settings[i]);
	return r;
}

int local_lint(struct local *l, struct lint_verdict *ret, struct findings *findings,
	struct fault *f)
{
	struct progress progress;
	int r;

	progress_begin(&progress, l->run, "checking", l->bytes);
	l->progress = &progress;
	r = lint(&l->view, ret, findings, &f->e);
	l->progress = NULL;
	progress_end_drawn(&progress);
	switch (-r) {
	case ERR_BAD_PATH:
	case ERR_TOO_LARGE:
	case ERR_BAD_MULTIPART:
	case ERR_BAD_ARCHIVE:
		return fault_as(f, FAULT_INVALID);
	default:
		return r;
	}
}
