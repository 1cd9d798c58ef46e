/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/modeljson_spot.h"
#include "common/base/buf.h"
#include "common/base/str.h"

/* An escape takes at most six bytes for one. */
#define KEY_MAX (6 * sizeof("weightsManifest"))

static enum modeljson_spot_member member_of(struct str key)
{
	static const struct {
		const char *name;
		enum modeljson_spot_member member;
	} members[] = {
		{"modelTopology", MODELJSON_SPOT_MODEL_TOPOLOGY},
		{"weightsManifest", MODELJSON_SPOT_WEIGHTS_MANIFEST},
		{"paths", MODELJSON_SPOT_PATHS},
		{"weights", MODELJSON_SPOT_WEIGHTS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (str_eq_c(key, members[i].name))
			return members[i].member;
	return MODELJSON_SPOT_OTHER_MEMBER;
}

static int read_key(struct str quoted, enum modeljson_spot_member *ret, struct err *e)
{
	CLEANUP_BUF struct buf decoded = BUF_INIT(KEY_MAX);

	*ret = MODELJSON_SPOT_OTHER_MEMBER;
	if (quoted.n > KEY_MAX)
		return 0;
	if (!memchr(quoted.p, '\\', quoted.n)) {
		*ret = member_of((struct str){quoted.p + 1, quoted.n - 2});
		return 0;
	}
	json_scan_unquote(quoted.p, quoted.n, &decoded);
	*ret = member_of((struct str){buf_str(&decoded), decoded.len});
	return buf_check(&decoded, "a key", e);
}

static int next_key(struct modeljson_spot_state *s, struct str quoted, unsigned depth,
	enum modeljson_spot *ret, struct err *e)
{
	int r;

	if (depth == 3 && s->in_group)
		return read_key(quoted, &s->of_group, e);
	if (depth != 1)
		return 0;
	r = read_key(quoted, &s->of_root, e);
	if (s->of_root == MODELJSON_SPOT_MODEL_TOPOLOGY ||
		s->of_root == MODELJSON_SPOT_WEIGHTS_MANIFEST)
		*ret = MODELJSON_SPOT_ARTIFACT_KEY;
	return r;
}

int modeljson_spot_next(struct modeljson_spot_state *s, const char *bytes,
	const struct json_token *t, enum modeljson_spot *ret, struct err *e)
{
	*ret = MODELJSON_SPOT_ELSEWHERE;
	if (t->event == JSON_EVENT_KEY)
		return next_key(s, (struct str){bytes + t->offset, t->n}, t->depth, ret, e);
	if (t->depth == 1) {
		s->in_manifest = s->of_root == MODELJSON_SPOT_WEIGHTS_MANIFEST &&
			t->event == JSON_EVENT_ARRAY_BEGIN;
		if (s->of_root == MODELJSON_SPOT_MODEL_TOPOLOGY)
			*ret = MODELJSON_SPOT_TOPOLOGY;
		else if (s->of_root == MODELJSON_SPOT_WEIGHTS_MANIFEST)
			*ret = MODELJSON_SPOT_MANIFEST;
	} else if (t->depth == 2) {
		s->in_group = s->in_manifest && t->event == JSON_EVENT_OBJECT_BEGIN;
	} else if (t->depth == 3 && s->in_group) {
		s->in_paths = s->of_group == MODELJSON_SPOT_PATHS &&
			t->event == JSON_EVENT_ARRAY_BEGIN;
		if (s->of_group == MODELJSON_SPOT_WEIGHTS)
			*ret = MODELJSON_SPOT_GROUP_WEIGHTS;
	} else if (t->depth == 4 && s->in_paths && t->event == JSON_EVENT_STRING) {
		*ret = MODELJSON_SPOT_PATH;
	}
	return 0;
}
