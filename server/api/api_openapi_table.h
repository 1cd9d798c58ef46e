/* SPDX-License-Identifier: Apache-2.0 */
/* Tables in Markdown, which docs/api.md has. */
#pragma once

#include "common/base/buf.h"
#include "common/base/err.h"
#include "server/http/router.h"

/* Append the operations, and the errors. */
int api_openapi_table_operations(const struct router_row *rows, size_t n, struct buf *out,
	struct err *e);
int api_openapi_table_errors(struct buf *out, struct err *e);
