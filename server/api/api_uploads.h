/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of /v1/uploads/{id} share. */
#pragma once

#include "server/http/req.h"

/* handler.model: the model of the upload that capture 0 names. ERR_UPLOAD_NOT_FOUND. */
int api_uploads_model(struct req *r, char name[REF_NAME_MAX + 1], struct err *e);
