/* SPDX-License-Identifier: Apache-2.0 */
#include "common/registry/upload_weights.h"
#include "common/lint/lint_weights.h"
#include "common/registry/upload_paths.h"

int upload_weights_check(struct upload *u, const struct manifest *m, struct upload_weights *ret,
	struct findings *f, struct err *e)
{
	CLEANUP(upload_paths_view_done) struct lint_files view = {.n = 0};
	struct upload_weights w = {.scan = NULL};
	bool complete;
	int r = upload_paths_view(u, &view, e);

	if (r == 0)
		r = lint_weights_add_up(&view, m, &w.bytes, &complete, f, e);
	if (r == 0 && complete)
		r = upload_scan_finish(u, m, &w.scan, e);
	if (r == 0 && complete)
		r = lint_weights_judge(&view, m, w.scan, f, e);
	if (r < 0)
		return r;
	*ret = w;
	return 0;
}
