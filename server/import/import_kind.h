/* SPDX-License-Identifier: Apache-2.0 */
/* What a URL tells of what is behind it. Pure. Inside server/import only. */
#pragma once

#include "common/net/url.h"

/* Is this the URL of a model.json of a fixed version, as another modeld gives it for one under a
 * name that moves? */
bool import_kind_pinned(const struct url *url);
