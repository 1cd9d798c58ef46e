/* SPDX-License-Identifier: Apache-2.0 */
/* Names, versions and labels: one grammar for URLs, the command line, configuration and logs.
 *
 *   ref     = name [ "@" ( version | label | "sha256:" 64hex ) ]
 *   name    = segment *3( "/" segment )          at most 128 characters
 *   segment = [a-z0-9]+ ( [._-] [a-z0-9]+ )*     not versions, labels, metadata, uploads,
 *                                                rejections, which stand behind names in
 *                                                addresses; the last one not model.json
 *   version = a decimal number from 1, no leading zero
 *   label   = [a-z][a-z0-9._-]{0,63}             "latest" is the computed one
 */
#pragma once

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/str.h"
#include "common/digest/digest.h"

#define REF_NAME_MAX     128
#define REF_SEGMENTS_MAX 4
#define REF_LABEL_MAX    64
#define REF_VERSION_MAX  NUM_SAFE_INTEGER_MAX
#define REF_TEXT_MAX     (REF_NAME_MAX + 1 + 7 + DIGEST_HEX)

enum ref_kind { REF_LATEST, REF_VERSION, REF_LABEL, REF_DIGEST };

struct ref {
	enum ref_kind kind;
	char name[REF_NAME_MAX + 1];
	uint64_t version;              /* REF_VERSION */
	char label[REF_LABEL_MAX + 1]; /* REF_LABEL; never "latest", which parses as REF_LATEST */
	struct digest root;            /* REF_DIGEST */
};

/* 0, or ERR_BAD_NAME saying which rule; an upper-case name is refused with its lower-case spelling
 * suggested. */
int ref_check_name(struct str name, struct err *e);
int ref_check_label(struct str label, struct err *e);

/* 0, or ERR_BAD_NAME / ERR_BAD_REF. */
int ref_parse(struct str text, struct ref *ret, struct err *e);

/* True when the ref always means the same bytes (a version or a digest). */
static inline bool ref_is_pinned(const struct ref *r)
{
	return r->kind == REF_VERSION || r->kind == REF_DIGEST;
}

/* Canonical text, appended. REF_LATEST is the name alone. */
void ref_format(const struct ref *r, struct buf *out);

/* The part of a name behind its last slash. Points into `name`. */
const char *ref_last_segment(const char *name);
