/* SPDX-License-Identifier: Apache-2.0 */
#include "server/import/import_kind.h"
#include "common/model/filepath.h"
#include "common/model/ref.h"

/* .../models/<name>@<version>/model.json */
bool import_kind_pinned(const struct url *url)
{
	static const char behind[] = "/" FILEPATH_MODEL;
	struct str path = url_path(url);
	size_t start = 0;
	uint64_t version;

	if (!str_ends(path, behind))
		return false;
	path.n -= strlen(behind);
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '@')
			start = i + 1;
	return start > 0 &&
		num_parse(path.p + start, path.n - start, REF_VERSION_MAX, &version);
}
