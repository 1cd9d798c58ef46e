/* SPDX-License-Identifier: Apache-2.0 */
/* A token in words of JSON, as the API and `modeld token list --json` show it. */
#pragma once

#include "common/json/json_write.h"
#include "common/store/catalog_token.h"

/* The members, in the open object: id, name, scopes, created, expires, last_used. */
void token_json_members(struct json_write *w, const struct catalog_token *t);
/* An object of them. */
void token_json(struct json_write *w, const struct catalog_token *t);
/* All, as {"tokens":[...]} and a newline, appended. */
void token_json_list(const struct catalog_tokens *list, struct buf *out);
