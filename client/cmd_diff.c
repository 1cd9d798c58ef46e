/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/diff.h"
#include "client/say.h"
#include "client/side.h"

static const char *const file_fields[] = {"bytes", "sha256"};
static const char *const tensor_fields[] = {"dtype", "shape", "quantization", "min", "max", "mean",
	"zeros", "nan", "infinite", "bytes", "sha256"};

struct result {
	struct diff files, model, tensors;
};

static void result_done(struct result *x)
{
	diff_done(&x->files);
	diff_done(&x->model);
	diff_done(&x->tensors);
}

/* The manifest is told by tensors and files. */
static int compare(const struct side *a, const struct side *b, struct result *ret, struct fault *f)
{
	int r = diff_lists(a->files_v, b->files_v, "path", file_fields, ARRAY_SIZE(file_fields),
		&ret->files, &f->e);

	if (r == 0)
		r = diff_documents(json_root(a->model), json_root(b->model), "weightsManifest",
			&ret->model, &f->e);
	if (r == 0)
		r = diff_lists(a->tensors_v, b->tensors_v, "name", tensor_fields,
			ARRAY_SIZE(tensor_fields), &ret->tensors, &f->e);
	return r;
}

static void write_result(const struct side *a, const struct side *b, const struct result *x,
	struct buf *out)
{
	struct json_write w;

	json_write_init(&w, out);
	json_write_object(&w, NULL);
	json_write_str(&w, "a", a->name);
	json_write_str(&w, "b", b->name);
	json_write_bool(&w, "same", x->files.total == 0);
	diff_write(&x->files, &w, "files");
	diff_write(&x->model, &w, "model");
	diff_write(&x->tensors, &w, "tensors");
	json_write_object_end(&w);
}

static void print_result(const struct run *run, const struct side *a, const struct side *b,
	const struct result *x, struct buf *out)
{
	if (x->files.total == 0)
		return;
	buf_add_str(out, "--- ");
	say_clean(a->name, out);
	buf_add_str(out, "\n+++ ");
	say_clean(b->name, out);
	buf_add_char(out, '\n');
	diff_print(&x->files, "files", run->color, out);
	diff_print(&x->model, "model.json", run->color, out);
	diff_print(&x->tensors, "tensors", run->color, out);
	if (x->model.total == 0 && x->tensors.total == 0)
		buf_add_str(out, "The model itself is the same.\n");
}

int cmd_diff(struct run *run, struct fault *f)
{
	CLEANUP_SIDE struct side a = {.files = NULL}, b = {.files = NULL};
	CLEANUP(result_done) struct result x = {.files = {.n = 0}};
	CLEANUP(api_close_p) struct api *api = NULL;
	CLEANUP_BUF struct buf out = BUF_INIT(SAY_MAX);
	int r = api_open(run, &api, f);

	if (r == 0)
		r = side_load(run, api, run_operand(run, 0), &a, f);
	if (r == 0)
		r = side_load(run, api, run_operand(run, 1), &b, f);
	if (r == 0)
		r = compare(&a, &b, &x, f);
	if (r < 0)
		return r;
	run->exit = x.files.total > 0 ? FAULT_DIFFERS : FAULT_NONE;
	if (run->json) {
		write_result(&a, &b, &x, &out);
		return say_json(&out, f);
	}
	if (!run->quiet)
		print_result(run, &a, &b, &x, &out);
	return say_out(&out, f);
}
