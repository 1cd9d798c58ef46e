/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/nameglob.h"

int nameglob_check(struct str pattern, const char *word, struct err *e)
{
	struct str name = pattern;

	if (str_eq_c(pattern, "*") || str_eq_c(pattern, "**"))
		return 0;
	if (str_ends(pattern, "/**"))
		name.n -= sizeof("/**") - 1;
	else if (str_ends(pattern, "/*"))
		name.n -= sizeof("/*") - 1;
	if (memchr(name.p, '*', name.n))
		return err_set(e, ERR_BAD_NAME,
			"%s is a model's name, NAME/*, NAME/**, * or **", word);
	return ref_check_name(name, e);
}

/* Bytes before the star, its slash included. */
static size_t stem(const char *pattern, const char *star)
{
	return (size_t)(star - pattern);
}

bool nameglob_matches(const char *pattern, const char *model)
{
	const char *star = strchr(pattern, '*');
	size_t n = star ? stem(pattern, star) : 0;

	if (!star)
		return strcmp(pattern, model) == 0;
	return strncmp(pattern, model, n) == 0 && (star[1] == '*' || !strchr(model + n, '/'));
}

bool nameglob_within(const char *inner, const char *outer)
{
	const char *star = strchr(outer, '*');

	if (!strchr(inner, '*'))
		return nameglob_matches(outer, inner);
	if (!star)
		return false;
	if (star[1] == '*')
		return strncmp(inner, outer, stem(outer, star)) == 0;
	return strcmp(inner, outer) == 0;
}
