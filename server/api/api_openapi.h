/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/openapi.json, made when it is first asked for and kept. */
#pragma once

#include "common/base/err.h"

struct api_openapi;

int api_openapi_new(struct api_openapi **ret, struct err *e);
void api_openapi_free(struct api_openapi *x); /* when no request runs any more; accepts NULL */
