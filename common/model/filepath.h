/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of files inside a version. They are data in the catalog, never file names on disk; the
 * rules keep them unambiguous in URLs, where TensorFlow.js concatenates them unescaped
 * (tfjs-core/src/io/http.ts) and the URL parser then eats '?', '#', '%' and '\'.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#define FILEPATH_MAX      1024 /* bytes in all */
#define FILEPATH_PART_MAX 255  /* bytes between slashes */
#define FILEPATH_MODEL    "model.json"

/* Without its leading "./" (any number of them), which model.save writes before shard names. */
struct str filepath_strip(struct str path);

/* 0, or ERR_BAD_PATH saying what is wrong with the (stripped) path: it must be relative,
 * separated by '/', well-formed UTF-8 without control characters or any of \ ? # % :, no part
 * empty, "." or "..", or starting with a space or '-', not ending with a space, which a URL parser
 * strips, and within the limits above. */
int filepath_check(struct str path, struct err *e);

/* True when two paths differ at most in ASCII letter case. */
bool filepath_same_folded(struct str a, struct str b);

/* Media type by suffix: .json application/json, .txt and .md text/plain, .csv text/csv, .html and
 * .svg too become application/octet-stream, as everything else does, so that an uploaded page never
 * runs in this origin. */
const char *filepath_media_type(struct str path);
