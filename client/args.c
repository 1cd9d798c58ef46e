/* SPDX-License-Identifier: Apache-2.0 */
#include "client/args.h"
#include "common/base/text.h"

#include <getopt.h>
#include <stdio.h>

#define LONG_BASE 256 /* above every character; a long option is this and its place in the table */
#define HELP_HINT "`modelctl --help` lists what there is."

void args_done(struct args *a)
{
	free(a->given);
	free(a->operands);
}

const char *args_value(const struct args *a, enum usage_option option)
{
	for (size_t i = a->given_n; i > 0; i--)
		if (a->given[i - 1].option == option)
			return a->given[i - 1].value;
	return NULL;
}

/* ---- options ---- */

static void fill_tables(struct option *longs, char *shorts)
{
	*shorts++ = ':'; /* a missing value is told apart from an unknown option */
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++) {
		const struct usage_option_row *row = &usage_options[i];
		longs[i] = (struct option){
			.name = row->name,
			.has_arg = row->value ? required_argument : no_argument,
			.val = LONG_BASE + (int)i,
		};
		if (!row->letter)
			continue;
		*shorts++ = row->letter;
		if (row->value)
			*shorts++ = ':';
	}
	longs[USAGE_OPTIONS_N] = (struct option){.name = NULL};
	*shorts = '\0';
}

static bool find_option(int found, enum usage_option *ret)
{
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++)
		if (found == LONG_BASE + (int)i ||
			(usage_options[i].letter && found == usage_options[i].letter)) {
			*ret = (enum usage_option)i;
			return true;
		}
	return false;
}

/* getopt has refused the argument it just passed; optopt is the option when there is such a one. */
static int bad_option(char **argv, int found, struct fault *f)
{
	const char *given = argv[optind - 1];
	enum usage_option ignored;

	if (found == ':')
		(void)fault_usage(f, "%s needs a value", given);
	else if (optopt >= LONG_BASE)
		(void)fault_usage(f, "%s takes no value", given);
	else if (optopt > 0 && !find_option(optopt, &ignored))
		(void)fault_usage(f, "unknown option -%c", optopt);
	else
		(void)fault_usage(f, "unknown option %s", given);
	return fault_next(f, HELP_HINT);
}

static int read_options(struct args *a, int argc, char **argv, struct fault *f)
{
	struct option longs[USAGE_OPTIONS_N + 1];
	char shorts[2 * USAGE_OPTIONS_N + 2];
	enum usage_option option;
	int found;

	fill_tables(longs, shorts);
	optind = 0; /* start anew, whoever used getopt before */
	opterr = 0;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (!find_option(found, &option))
			return bad_option(argv, found, f);
		a->given[a->given_n++] = (struct args_given){
			.option = option, .value = optarg ? optarg : ""};
	}
	for (; optind < argc; optind++)
		a->operands[a->operands_n++] = argv[optind];
	return 0;
}

/* ---- the command ---- */

static void drop_operands(struct args *a, size_t n)
{
	a->operands_n -= n;
	memmove(a->operands, a->operands + n, a->operands_n * sizeof(*a->operands));
}

/* `modeld token list` has made people used to that word. */
static bool is_word(struct str word, const char *given)
{
	return str_eq_c(word, given) || (str_eq_c(word, "ls") && strcmp(given, "list") == 0);
}

/* How many operands spell the words of a command; 0 when they do not. */
static size_t spells(const struct args *a, const char *words)
{
	struct str rest = str_of(words), word;
	size_t n = 0;

	while (str_split(&rest, ' ', &word))
		if (n == a->operands_n || !is_word(word, a->operands[n++]))
			return 0;
	return n;
}

/* p NULL for none that is near. */
static struct str nearest(const char *given)
{
	struct str best = {NULL, 0};
	size_t best_distance = text_distance_allowed(str_of(given)) + 1;

	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		struct str rest = str_of(usage_commands[i].words), word;
		(void)str_split(&rest, ' ', &word);
		size_t distance = text_distance(str_of(given), word);
		if (distance < best_distance) {
			best = word;
			best_distance = distance;
		}
	}
	return best;
}

/* "label" alone, say. */
static int unknown_command(const struct args *a, struct fault *f)
{
	CLEANUP_BUF struct buf words = BUF_INIT(512);
	const char *given = a->operands[0];
	struct str near = nearest(given);

	for (size_t i = 0; i < USAGE_COMMANDS_N; i++)
		if (str_starts(str_of(usage_commands[i].words), given) &&
			usage_commands[i].words[strlen(given)] == ' ')
			buf_addf(&words, "%s%s", words.len > 0 ? ", " : "",
				usage_commands[i].words);
	if (words.len > 0) {
		(void)fault_usage(f, "%s alone is no command", given);
		return fault_next(f, "There is %s.", buf_str(&words));
	}
	(void)fault_usage(f, "there is no command %s", given);
	return near.p ? fault_next(f, "Did you mean `modelctl " STR_FMT "`? " HELP_HINT,
				STR_ARG(near))
		      : fault_next(f, HELP_HINT);
}

/* The longest that fits: "jobs watch" is not "jobs" of a model called watch. */
static int find_command(struct args *a, struct fault *f)
{
	size_t best = 0;

	if (a->operands_n == 0) {
		(void)fault_usage(f, "a command is missing");
		return fault_next(f, HELP_HINT);
	}
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		size_t n = spells(a, usage_commands[i].words);
		if (n <= best)
			continue;
		a->command = (enum usage_command)i;
		best = n;
	}
	drop_operands(a, best);
	return best > 0 ? 0 : unknown_command(a, f);
}

static int check_command(const struct args *a, struct fault *f)
{
	const struct usage_command_row *row = &usage_commands[a->command];

	for (size_t i = 0; i < a->given_n; i++) {
		if (row->options >> a->given[i].option & 1)
			continue;
		(void)fault_usage(f, "--%s does not go with %s",
			usage_options[a->given[i].option].name, row->words);
		return fault_next(f, "`modelctl %s --help` says what does.", row->words);
	}
	if (a->operands_n >= row->fewest && a->operands_n <= row->most)
		return 0;
	if (a->operands_n > row->most)
		(void)fault_usage(f, "unexpected operand %s", a->operands[row->most]);
	else
		(void)fault_usage(f, "%s needs %s", row->words, row->operands);
	return fault_next(f, "It is used as `modelctl %s%s%s`.", row->words,
		*row->operands ? " " : "", row->operands);
}

static int judge(struct args *a, struct fault *f)
{
	bool help = args_has(a, USAGE_HELP);
	int r;

	if (args_has(a, USAGE_VERSION)) {
		a->wish = ARGS_VERSION;
		return 0;
	}
	if (help && a->operands_n == 0) {
		a->wish = ARGS_HELP;
		return 0;
	}
	r = find_command(a, f);
	if (r < 0)
		return r;
	a->wish = help ? ARGS_HELP_COMMAND : ARGS_RUN;
	return help ? 0 : check_command(a, f);
}

/* Words, and letters of clusters such as -qq. */
static size_t most_given(int argc, char **argv)
{
	size_t n = (size_t)argc + 1;

	for (int i = 0; i < argc; i++)
		n += strlen(argv[i]);
	return n;
}

int args_read(int argc, char **argv, struct args *ret, struct fault *f)
{
	struct args a = {
		.given = calloc(most_given(argc, argv), sizeof(*a.given)),
		.operands = calloc((size_t)argc + 1, sizeof(*a.operands)),
	};
	int r = a.given && a.operands ? 0 : err_nomem(&f->e);

	if (r == 0)
		r = read_options(&a, argc, argv, f);
	if (r == 0)
		r = judge(&a, f);
	if (r < 0)
		args_done(&a);
	else
		*ret = a;
	return r;
}
