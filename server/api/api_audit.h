/* SPDX-License-Identifier: Apache-2.0 */
/* Changes as JSON. */
#pragma once

#include "common/base/buf.h"
#include "common/store/catalog_audit.h"

/* What GET /v1/audit has in `events`, and a newline, appended. */
void api_audit_line(const struct catalog_audit_event *x, struct buf *out);
