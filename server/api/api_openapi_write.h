/* SPDX-License-Identifier: Apache-2.0 */
/* The description of the API in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), made of the
 * routes, what their handlers need, the table of errors, and the texts and schemas of openapi/. A
 * route that openapi/operations.json does not describe is an error, and so is an operation there
 * that no route has.
 *
 * operations.json is in short hand. Of an operation, whose key is a method and a pattern:
 *   traits      names of "traits", whose parameters, headers, answers and errors it has too
 *   parameters  names in components.json, beside the captures of the pattern
 *   captures    of those with another meaning than elsewhere, their names there
 *   body        a schema of a JSON body, or a "#/components/requestBodies/..."
 *   answers     by status: description, `schema` of JSON or `content`, and `headers`; "X?" is one
 *               that is not always there
 *   errors      codes besides those that follow from the handler; those of `empty`, in a trait, are
 *               answered without a body
 * Everything else is copied. */
#pragma once

#include "common/base/buf.h"
#include "common/base/err.h"
#include "server/http/router.h"

/* Appends the document. ERR_INTERNAL: the parts do not fit together. Takes milliseconds. */
int api_openapi_write(const struct router_row *rows, size_t n, struct buf *out, struct err *e);
