/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config_value.h"
#include "common/base/num.h"

#include <inttypes.h>

static void *field_of(const struct config *c, const struct config_option *o)
{
	return (char *)(uintptr_t)c + o->field;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool config_value_list_add(struct config_list *list, struct str item)
{
	CLEANUP_FREE char *copy = str_dup(item);
	char **items;

	if (!copy)
		return false;
	items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return false;
	list->items = items;
	items[list->n++] = take_ptr(copy);
	return true;
}

void config_value_list_done(struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct config_list){NULL, 0};
}

/* ---- to text ------------------------------------------------------------------------------- */

struct scale {
	const char *unit;
	uint64_t factor;
};

static const struct scale sizes[] = {
	{"TiB", 1024 * GIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1},
};
static const struct scale times[] = {
	{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct scale plain[] = {{"", 1}};

static const struct {
	const char *name;
	const struct scale *scales; /* of numbers; the last one divides everything */
	const char *examples;
} kinds[] = {
	[CONFIG_KIND_LIST] = {"words separated by blanks or commas", NULL, ""},
	[CONFIG_KIND_TEXT] = {"text", NULL, ""},
	[CONFIG_KIND_UINT] = {"a whole number", plain, ""},
	[CONFIG_KIND_SIZE] = {"a size", sizes, ", written like 512, 64KiB, 32MiB or 16GiB"},
	[CONFIG_KIND_TIME] = {"a duration", times, ", written like 500ms, 60s, 5min, 2h or 7d"},
	[CONFIG_KIND_BOOL] = {"yes or no", NULL, ""},
	[CONFIG_KIND_WORD] = {"one of", NULL, ""},
};

/* With the largest unit that loses nothing. */
static void print_number(uint64_t value, const struct scale *scale, struct buf *out)
{
	if (value == 0) {
		buf_add_char(out, '0');
		return;
	}
	while (value % scale->factor != 0)
		scale++;
	buf_addf(out, "%" PRIu64 "%s", value / scale->factor, scale->unit);
}

void config_value_print(const struct config *c, const struct config_option *o, struct buf *out)
{
	const void *field = field_of(c, o);

	switch (o->kind) {
	case CONFIG_KIND_LIST:
		break;
	case CONFIG_KIND_TEXT:
	case CONFIG_KIND_WORD:
		buf_add_str(out, *(char *const *)field);
		break;
	case CONFIG_KIND_UINT:
		print_number(*(const unsigned *)field, plain, out);
		break;
	case CONFIG_KIND_SIZE:
	case CONFIG_KIND_TIME:
		print_number(*(const uint64_t *)field, kinds[o->kind].scales, out);
		break;
	case CONFIG_KIND_BOOL:
		buf_add_str(out, *(const bool *)field ? "yes" : "no");
		break;
	}
}

static void describe_range(const struct config_option *o, struct buf *out)
{
	const struct scale *scales = kinds[o->kind].scales;

	if (o->max == UINT64_MAX && o->min == 0)
		return;
	buf_add_str(out, o->max == UINT64_MAX ? " of at least " : " from ");
	print_number(o->min, scales, out);
	if (o->max == UINT64_MAX)
		return;
	buf_add_str(out, " to ");
	print_number(o->max, scales, out);
}

static void describe_words(const struct config_option *o, struct buf *out)
{
	struct str rest = str_of(o->words), word;
	const char *between = " ";

	while (str_split(&rest, '|', &word)) {
		buf_addf(out, "%s" STR_FMT, between, STR_ARG(word));
		between = ", ";
	}
}

void config_value_describe(const struct config_option *o, struct buf *out)
{
	buf_add_str(out, o->pairs ? "pairs NAME=VALUE" : kinds[o->kind].name);
	if (o->pairs)
		buf_add_str(out, " separated by blanks or commas");
	if (kinds[o->kind].scales)
		describe_range(o, out);
	if (o->kind == CONFIG_KIND_WORD)
		describe_words(o, out);
}

/* ---- from text ----------------------------------------------------------------------------- */

static int expected(const struct config_option *o, struct err *e)
{
	CLEANUP_BUF struct buf what = BUF_INIT(ERR_TEXT_MAX);

	config_value_describe(o, &what);
	return err_set(e, ERR_CONFIG, "expected %s%s", buf_str(&what), kinds[o->kind].examples);
}

/* What no file could say is refused from the environment and the command line too, so that
 * `modeld check-config` can always print what is in force. */
static int check_text(struct str text, struct err *e)
{
	if (text.n > CONFIG_VALUE_MAX)
		return err_set(e, ERR_CONFIG, "a value has at most %d bytes", CONFIG_VALUE_MAX);
	if (!str_is_utf8(text))
		return err_set(e, ERR_CONFIG, "a value is UTF-8");
	for (size_t i = 0; i < text.n; i++) {
		unsigned char byte = (unsigned char)text.p[i];
		bool behind_blank = i == 0 || is_blank(text.p[i - 1]);
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return err_set(e, ERR_CONFIG, "a value holds no control characters");
		if (behind_blank && (byte == '#' || byte == ';'))
			return err_set(e, ERR_CONFIG, "a comment needs a line of its own");
	}
	return 0;
}

static bool begins_section(struct str word)
{
	const char *close = memchr(word.p, ']', word.n);
	struct str name = {word.p + 1, close ? (size_t)(close - word.p) - 1 : 0};

	return word.p[0] == '[' && close && config_table_find(CONFIG_SPELLING_SECTION, NULL, name);
}

/* Keys of files are made of these. */
static bool looks_like_key(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!str_is_lower(name.p[i]) && !str_is_digit(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

/* The NAME of NAME=VALUE, with the blanks that may stand behind it. */
static bool split_pair(struct str text, struct str *ret_name)
{
	const char *equals = memchr(text.p, '=', text.n);

	if (equals)
		*ret_name = (struct str){text.p, (size_t)(equals - text.p)};
	return equals != NULL;
}

bool config_value_continues(const struct config_option *o, struct str line)
{
	struct str name;
	size_t behind;

	if (!split_pair(line, &name))
		return true;
	if (!o->pairs)
		return false;
	behind = name.n + 1;
	if (!looks_like_key(str_trim(name)))
		return true;
	return str_trim(name).n == name.n && behind < line.n && !is_blank(line.p[behind]) &&
		!config_table_find(CONFIG_SPELLING_KEY, o->section, name);
}

static int check_pair(const struct config_option *o, struct str word, struct err *e)
{
	struct str name;

	if (!split_pair(word, &name))
		return 0;
	if (!o->pairs)
		return err_set(e, ERR_CONFIG, "a word of a list holds no =");
	if (name.n == 0 || name.n + 1 == word.n)
		return err_set(e, ERR_CONFIG, "NAME=VALUE in a list is written without blanks");
	if (!config_table_find(CONFIG_SPELLING_KEY, o->section, name))
		return 0;
	return err_set(e, ERR_CONFIG, STR_FMT "=... cannot be in this list: " STR_FMT
		" is a key of [%s]", STR_ARG(name), STR_ARG(name), o->section);
}

/* A word may begin an indented line of a file, where it must not look like something else. */
static int add_word(const struct config_option *o, struct config_list *list, struct str word,
	struct err *e)
{
	int r;

	if (list->n == CONFIG_ITEMS_MAX)
		return err_set(e, ERR_CONFIG, "a list has at most %d words", CONFIG_ITEMS_MAX);
	if (word.n > CONFIG_ITEM_MAX)
		return err_set(e, ERR_CONFIG, "a word has at most %d bytes", CONFIG_ITEM_MAX);
	r = check_pair(o, word, e);
	if (r < 0)
		return r;
	if (word.p[0] == '#' || word.p[0] == ';' || begins_section(word))
		return err_set(e, ERR_CONFIG, STR_FMT " cannot be in a list", STR_ARG(word));
	return config_value_list_add(list, word) ? 0 : err_nomem(e);
}

static int add_words(const struct config_option *o, struct config_list *list, struct str text,
	struct err *e)
{
	int r = 0;

	while (text.n > 0 && r == 0) {
		size_t n = 0;
		while (n < text.n && !is_blank(text.p[n]) && text.p[n] != ',')
			n++;
		if (n > 0)
			r = add_word(o, list, (struct str){text.p, n}, e);
		n += n < text.n;
		text = (struct str){text.p + n, text.n - n};
	}
	return r;
}

static int set_list(void *field, const struct config_option *o, struct str text, struct err *e)
{
	CLEANUP(config_value_list_done) struct config_list list = {NULL, 0};
	struct config_list *old = field, swap;
	int r = add_words(o, &list, text, e);

	if (r < 0)
		return r;
	swap = *old;
	*old = list;
	list = swap;
	return 0;
}

static int set_text(void *field, const struct config_option *o, struct str text, struct err *e)
{
	char **old = field;
	char *copy = str_dup(text);

	(void)o;
	if (!copy)
		return err_nomem(e);
	free(*old);
	*old = copy;
	return 0;
}

static int set_word(void *field, const struct config_option *o, struct str text, struct err *e)
{
	struct str rest = str_of(o->words), word;

	while (str_split(&rest, '|', &word))
		if (str_eq(text, word))
			return set_text(field, o, text, e);
	return expected(o, e);
}

static int set_bool(void *field, const struct config_option *o, struct str text, struct err *e)
{
	bool yes = str_eq_c(text, "yes");

	if (!yes && !str_eq_c(text, "no"))
		return expected(o, e);
	*(bool *)field = yes;
	return 0;
}

static int set_uint(void *field, const struct config_option *o, struct str text, struct err *e)
{
	uint64_t value;

	if (!num_parse(text.p, text.n, o->max, &value) || value < o->min)
		return expected(o, e);
	*(unsigned *)field = (unsigned)value;
	return 0;
}

static int set_size(void *field, const struct config_option *o, struct str text, struct err *e)
{
	CLEANUP_FREE char *copy = str_dup(text);
	uint64_t value;

	if (!copy)
		return err_nomem(e);
	if (!num_parse_size(copy, &value) || value < o->min || value > o->max)
		return expected(o, e);
	*(uint64_t *)field = value;
	return 0;
}

static int set_time(void *field, const struct config_option *o, struct str text, struct err *e)
{
	CLEANUP_FREE char *copy = str_dup(text);
	uint64_t value;

	if (!copy)
		return err_nomem(e);
	if (num_parse_duration(copy, &value)) {
		if (value < o->min || value > o->max)
			return expected(o, e);
		*(uint64_t *)field = value;
		return 0;
	}
	if (num_parse(text.p, text.n, UINT64_MAX, &value))
		return err_set(e, ERR_CONFIG, "a duration needs a unit: 500ms, 60s, 5min, 2h, 7d");
	return expected(o, e);
}

typedef int setter(void *field, const struct config_option *o, struct str text, struct err *e);

int config_value_set(struct config *c, const struct config_option *o, struct str text,
	struct err *e)
{
	static setter *const setters[] = {
		[CONFIG_KIND_LIST] = set_list,
		[CONFIG_KIND_TEXT] = set_text,
		[CONFIG_KIND_UINT] = set_uint,
		[CONFIG_KIND_SIZE] = set_size,
		[CONFIG_KIND_TIME] = set_time,
		[CONFIG_KIND_BOOL] = set_bool,
		[CONFIG_KIND_WORD] = set_word,
	};
	struct str trimmed = str_trim(text);
	int r = check_text(trimmed, e);

	return r < 0 ? r : setters[o->kind](field_of(c, o), o, trimmed, e);
}

int config_value_add(struct config *c, const struct config_option *o, struct str text,
	struct err *e)
{
	struct str trimmed = str_trim(text);
	int r = check_text(trimmed, e);

	return r < 0 ? r : add_words(o, field_of(c, o), trimmed, e);
}

void config_value_done(struct config *c, const struct config_option *o)
{
	void *field = field_of(c, o);

	if (o->kind == CONFIG_KIND_LIST)
		config_value_list_done(field);
	if (o->kind == CONFIG_KIND_TEXT || o->kind == CONFIG_KIND_WORD) {
		free(*(char **)field);
		*(char **)field = NULL;
	}
}

/* ---- two of them --------------------------------------------------------------------------- */

static bool lists_eq(const struct config_list *a, const struct config_list *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && strcmp(a->items[i], b->items[i]) == 0)
		i++;
	return i == a->n && i == b->n;
}

bool config_value_eq(const struct config *a, const struct config *b, const struct config_option *o)
{
	const void *x = field_of(a, o), *y = field_of(b, o);

	switch (o->kind) {
	case CONFIG_KIND_LIST:
		return lists_eq(x, y);
	case CONFIG_KIND_TEXT:
	case CONFIG_KIND_WORD:
		return strcmp(*(char *const *)x, *(char *const *)y) == 0;
	case CONFIG_KIND_UINT:
		return *(const unsigned *)x == *(const unsigned *)y;
	case CONFIG_KIND_SIZE:
	case CONFIG_KIND_TIME:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case CONFIG_KIND_BOOL:
		return *(const bool *)x == *(const bool *)y;
	}
	return false;
}

static size_t size_of(enum config_kind kind)
{
	static const size_t sizes_of[] = {
		[CONFIG_KIND_LIST] = sizeof(struct config_list),
		[CONFIG_KIND_TEXT] = sizeof(char *),
		[CONFIG_KIND_UINT] = sizeof(unsigned),
		[CONFIG_KIND_SIZE] = sizeof(uint64_t),
		[CONFIG_KIND_TIME] = sizeof(uint64_t),
		[CONFIG_KIND_BOOL] = sizeof(bool),
		[CONFIG_KIND_WORD] = sizeof(char *),
	};

	return sizes_of[kind];
}

void config_value_swap(struct config *a, struct config *b, const struct config_option *o)
{
	unsigned char kept[sizeof(struct config_list)];
	size_t n = size_of(o->kind);

	memcpy(kept, field_of(a, o), n);
	memcpy(field_of(a, o), field_of(b, o), n);
	memcpy(field_of(b, o), kept, n);
}
