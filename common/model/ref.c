/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/ref.h"

#include <inttypes.h>
#include <stdio.h>

#define LATEST        "latest"
#define DIGEST_PREFIX "sha256:"
#define FOUND_MAX     40

/* What stands at the start of `s`, so that it can be printed. */
static const char *found(struct str s, char buf[FOUND_MAX])
{
	size_t n = str_utf8_sequence(s.p, s.n);

	if (n == 0 || (uint8_t)*s.p < ' ' || *s.p == 0x7F)
		(void)snprintf(buf, FOUND_MAX, "the byte 0x%02X", (uint8_t)*s.p);
	else
		(void)snprintf(buf, FOUND_MAX, "'%.*s'", (int)n, s.p);
	return buf;
}

static bool is_alnum(char c)
{
	return str_is_lower(c) || str_is_digit(c);
}

static bool is_joint(char c)
{
	return c == '.' || c == '_' || c == '-';
}

static int check_characters(struct str segment, struct err *e)
{
	char buf[FOUND_MAX];

	for (size_t i = 0; i < segment.n; i++) {
		if (is_alnum(segment.p[i]) || is_joint(segment.p[i]))
			continue;
		return err_set(e, ERR_BAD_NAME,
			"a model name is made of a-z, 0-9, '.', '_', '-' and '/'; it has %s",
			found((struct str){segment.p + i, segment.n - i}, buf));
	}
	return 0;
}

static int check_joints(struct str segment, struct err *e)
{
	if (!is_alnum(segment.p[0]) || !is_alnum(segment.p[segment.n - 1]))
		return err_set(e, ERR_BAD_NAME,
			"each segment of a model name begins and ends with a letter or digit; "
			"'" STR_FMT "' does not", STR_ARG(segment));
	for (size_t i = 1; i < segment.n; i++)
		if (is_joint(segment.p[i]) && is_joint(segment.p[i - 1]))
			return err_set(e, ERR_BAD_NAME,
				"in a model name a letter or digit follows each '.', '_' or '-'; "
				"in '" STR_FMT "' none does", STR_ARG(segment));
	return 0;
}

static int check_segment(struct str segment, struct err *e)
{
	static const char *const reserved[] = {"versions", "labels", "metadata", "uploads",
		"rejections"};
	int r;

	if (segment.n == 0)
		return err_set(e, ERR_BAD_NAME,
			"a model name has no empty segment between its slashes");
	r = check_characters(segment, e);
	if (r == 0)
		r = check_joints(segment, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(reserved); i++)
		if (str_eq_c(segment, reserved[i]))
			r = err_set(e, ERR_BAD_NAME,
				"'%s' is part of other addresses and no segment of a model name",
				reserved[i]);
	return r;
}

/* Suggest the lower-case spelling, unless that has a fault of its own. */
static int refuse_upper_case(struct str name, struct err *e)
{
	char lower[REF_NAME_MAX + 1];
	bool changed = false;
	int r;

	for (size_t i = 0; i < name.n; i++) {
		lower[i] = str_to_lower(name.p[i]);
		changed |= lower[i] != name.p[i];
	}
	lower[name.n] = '\0';
	if (!changed)
		return 0;
	r = ref_check_name(str_of(lower), e);
	if (r < 0)
		return r;
	return err_set(e, ERR_BAD_NAME, "a model name is in lower case: use '%s'", lower);
}

int ref_check_name(struct str name, struct err *e)
{
	struct str rest = name, segment = {NULL, 0};
	size_t segments = 0;
	int r;

	if (name.n == 0)
		return err_set(e, ERR_BAD_NAME, "a model name is not empty");
	if (name.n > REF_NAME_MAX)
		return err_set(e, ERR_BAD_NAME, "a model name has at most %d characters, not %zu",
			REF_NAME_MAX, name.n);
	r = refuse_upper_case(name, e);
	if (r < 0)
		return r;
	while (str_split(&rest, '/', &segment)) {
		if (++segments > REF_SEGMENTS_MAX)
			return err_set(e, ERR_BAD_NAME, "a model name has at most %d segments",
				REF_SEGMENTS_MAX);
		r = check_segment(segment, e);
		if (r < 0)
			return r;
	}
	if (str_eq_c(segment, "model.json"))
		return err_set(e, ERR_BAD_NAME, "a model name does not end in 'model.json'");
	return 0;
}

int ref_check_label(struct str label, struct err *e)
{
	char buf[FOUND_MAX];

	if (label.n == 0 || !str_is_lower(*label.p))
		return err_set(e, ERR_BAD_NAME, "a label begins with a letter from a to z");
	if (label.n > REF_LABEL_MAX)
		return err_set(e, ERR_BAD_NAME, "a label has at most %d characters, not %zu",
			REF_LABEL_MAX, label.n);
	for (size_t i = 0; i < label.n; i++)
		if (!is_alnum(label.p[i]) && !is_joint(label.p[i]))
			return err_set(e, ERR_BAD_NAME,
				"a label is made of a-z, 0-9, '.', '_' and '-'; it has %s",
				found((struct str){label.p + i, label.n - i}, buf));
	if (str_eq_c(label, LATEST))
		return err_set(e, ERR_BAD_NAME,
			"the label '" LATEST "' is computed: it is the newest version");
	return 0;
}

static int parse_digest(struct str hex, struct ref *ref, struct err *e)
{
	ref->kind = REF_DIGEST;
	if (!digest_parse_hex(hex, &ref->root))
		return err_set(e, ERR_BAD_REF,
			"'" DIGEST_PREFIX "' is followed by %d hexadecimal digits in lower case",
			DIGEST_HEX);
	return 0;
}

static int parse_version(struct str digits, struct ref *ref, struct err *e)
{
	ref->kind = REF_VERSION;
	if (!num_parse(digits.p, digits.n, REF_VERSION_MAX, &ref->version) || *digits.p == '0')
		return err_set(e, ERR_BAD_REF,
			"a version is a decimal number from 1 without leading zeros");
	return 0;
}

static int parse_label(struct str label, struct ref *ref, struct err *e)
{
	if (str_eq_c(label, LATEST)) {
		ref->kind = REF_LATEST;
		return 0;
	}
	if (ref_check_label(label, e) < 0) {
		e->code = ERR_BAD_REF;
		return err_prefix(e, "what follows '@' is a version, a label or a digest");
	}
	ref->kind = REF_LABEL;
	memcpy(ref->label, label.p, label.n);
	return 0;
}

int ref_parse(struct str text, struct ref *ret, struct err *e)
{
	struct ref ref = {.kind = REF_LATEST};
	struct str rest = text, name;
	int r;

	if (!str_split(&rest, '@', &name))
		name = text;
	r = ref_check_name(name, e);
	if (r < 0)
		return r;
	memcpy(ref.name, name.p, name.n);
	if (rest.p) {
		if (str_starts(rest, DIGEST_PREFIX))
			r = parse_digest((struct str){rest.p + sizeof(DIGEST_PREFIX) - 1,
				rest.n - (sizeof(DIGEST_PREFIX) - 1)}, &ref, e);
		else if (rest.n > 0 && str_is_digit(*rest.p))
			r = parse_version(rest, &ref, e);
		else
			r = parse_label(rest, &ref, e);
	}
	if (r == 0)
		*ret = ref;
	return r;
}

void ref_format(const struct ref *r, struct buf *out)
{
	char hex[DIGEST_HEX + 1];

	buf_add_str(out, r->name);
	switch (r->kind) {
	case REF_LATEST:
		break;
	case REF_VERSION:
		buf_addf(out, "@%" PRIu64, r->version);
		break;
	case REF_LABEL:
		buf_addf(out, "@%s", r->label);
		break;
	case REF_DIGEST:
		buf_addf(out, "@" DIGEST_PREFIX "%s", digest_hex(&r->root, hex));
		break;
	}
}

const char *ref_last_segment(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}
