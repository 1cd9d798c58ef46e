/* SPDX-License-Identifier: Apache-2.0 */
#include "client/completion.h"

#include <stdio.h>

static bool takes(size_t command, size_t option)
{
	return usage_commands[command].options >> option & 1;
}

/* The first word of a command's words; *ret_second what is behind it, "" for nothing. */
static struct str first_word(size_t command, const char **ret_second)
{
	struct str rest = str_of(usage_commands[command].words), word;

	(void)str_split(&rest, ' ', &word);
	*ret_second = rest.p ? rest.p : "";
	return word;
}

/* Is it the first command with its first word? */
static bool is_first(size_t command)
{
	const char *ignored;
	struct str word = first_word(command, &ignored);

	for (size_t i = 0; i < command; i++)
		if (str_eq(first_word(i, &ignored), word))
			return false;
	return true;
}

/* The commands in an order in which "jobs watch" comes before "jobs". */
static size_t specific_first(size_t n)
{
	const char *second;

	for (int two = 1; two >= 0; two--)
		for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
			(void)first_word(i, &second);
			if ((*second != '\0') == (two == 1) && n-- == 0)
				return i;
		}
	return 0;
}

static bool takes_files(size_t command)
{
	return strstr(usage_commands[command].operands, "DIR") != NULL;
}

/* What the operands of a command are of the server's, in words of the function that lists it, or
 * NULL. */
static const char *lists(size_t command)
{
	const struct usage_command_row *row = &usage_commands[command];

	if (strstr(row->operands, "REF"))
		return "refs";
	if (strstr(row->operands, "NAME") || strstr(row->operands, "PREFIX"))
		return "names";
	if (strcmp(row->operands, "ID") == 0)
		return str_starts(str_of(row->words), "jobs") ? "jobs" : "tokens";
	return NULL;
}

/* `text` in single quotes, with `escaped` characters after a backslash. */
static void quote(const char *text, const char *escaped, struct buf *out)
{
	buf_add_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_add_str(out, "'\\'");
		else if (strchr(escaped, *text))
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '\'');
}

/* What the server has, for bash and zsh: `_modelctl_list KIND WORD`, labels alone behind an @. A
 * server that does not answer is not waited for. */
#define LISTS_SH \
	"\tcase $1:$2 in\n" \
	"\trefs:*@*) timeout 3 modelctl label ls -q -- \"${2%%@*}\" ;;\n" \
	"\trefs:* | names:*) timeout 3 modelctl ls -q -- \"$2\" ;;\n" \
	"\tjobs:*) timeout 3 modelctl jobs -q ;;\n" \
	"\ttokens:*) timeout 3 modelctl token ls -q ;;\n" \
	"\tesac 2>/dev/null\n"

/* ---- bash ---- */

static void bash_options(size_t command, struct buf *out)
{
	for (size_t i = 0; i < USAGE_OPTIONS_N; i++)
		if (takes(command, i))
			buf_addf(out, " --%s", usage_options[i].name);
}

static void bash_words(struct buf *out)
{
	const char *ignored;

	for (size_t i = 0; i < USAGE_COMMANDS_N; i++)
		if (is_first(i)) {
			struct str word = first_word(i, &ignored);
			buf_addf(out, " " STR_FMT, STR_ARG(word));
		}
}

/* Options whose values the shell completes as files. */
static void bash_values(struct buf *out)
{
	buf_add_str(out, "\tcase $prev in\n\t--color) words='auto always never' ;;\n\t");
	for (size_t i = 0, n = 0; i < USAGE_OPTIONS_N; i++)
		if (usage_options[i].value && i != USAGE_COLOR)
			buf_addf(out, "%s--%s", n++ > 0 ? "|" : "", usage_options[i].name);
	buf_add_str(out, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n\tesac\n");
}

void completion_bash(struct buf *out)
{
	const char *second;

	buf_add_str(out,
		"# bash completion for modelctl: source <(modelctl completion bash)\n"
		"_modelctl_list() {\n" LISTS_SH
		"}\n"
		"_modelctl() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal one=${COMP_WORDS[1]} two=${COMP_WORDS[2]} words= files= list= from=2\n"
		/* bash breaks words at @; what is completed is behind it. */
		"\tlocal whole=${COMP_LINE:0:COMP_POINT}\n"
		"\twhole=${whole##* }\n"
		"\twhole=${whole:-$cur}\n"
		"\tcase \"$one $two\" in\n");
	for (size_t n = 0; n < USAGE_COMMANDS_N; n++) {
		size_t i = specific_first(n);
		struct str word = first_word(i, &second);
		buf_addf(out, "\t" STR_FMT "\\ %s*) words='", STR_ARG(word), second);
		bash_options(i, out);
		buf_addf(out, "' files=%s list=%s from=%d ;;\n", takes_files(i) ? "1" : "",
			lists(i) ? lists(i) : "", *second ? 3 : 2);
	}
	buf_add_str(out,
		"\tesac\n\tcase $cur in -*) ;; *) words= ;; esac\n"
		"\tif [ \"$COMP_CWORD\" -eq 1 ]; then words='");
	bash_words(out);
	buf_add_str(out,
		" --help --version'; fi\n\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n"
		"\t\tcase $one in\n");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		struct str word = first_word(i, &second);
		if (*second)
			buf_addf(out, "\t\t" STR_FMT ") words+=' %s' ;;&\n", STR_ARG(word), second);
	}
	buf_add_str(out, "\t\tcompletion) words+=' bash zsh fish' ;;\n\t\tesac\n\tfi\n");
	bash_values(out);
	buf_add_str(out,
		"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		"\tif [ -n \"$list\" ] && [ \"$COMP_CWORD\" -ge $from ] && [ \"${cur#-}\" = "
		"\"$cur\" ]; then\n"
		"\t\tCOMPREPLY+=($(compgen -W \"$(_modelctl_list $list \"$whole\")\" -- "
		"\"${whole#*@}\"))\n"
		"\tfi\n"
		"\tif [ -n \"$files\" ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
		"\t\tCOMPREPLY+=($(compgen -f -- \"$cur\"))\n"
		"\tfi\n"
		"}\n"
		"complete -o filenames -F _modelctl modelctl\n");
}

/* ---- zsh ---- */

/* What ends a part of a specification stands behind a backslash. */
static void zsh_option(const struct usage_option_row *o, struct buf *out)
{
	buf_addf(out, " \\\n\t\t'--%s[", o->name);
	for (const char *c = o->help; *c; c++) {
		if (strchr(":[]\\", *c))
			buf_add_char(out, '\\');
		buf_add_str(out, *c == '\'' ? "'\\''" : (const char[]){*c, '\0'});
	}
	buf_add_char(out, ']');
	if (o->value)
		buf_addf(out, ":%s:%s", o->value, strcmp(o->value, "DIR") == 0 ? "_files -/" : " ");
	buf_add_char(out, '\'');
}

static void zsh_described(size_t command, const char *word, size_t n, struct buf *out)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);

	buf_addf(&text, "%.*s:%s", (int)n, word, usage_commands[command].line);
	buf_add_char(out, ' ');
	quote(buf_str(&text), "", out);
}

static void zsh_words(struct buf *out)
{
	const char *second;

	buf_add_str(out, "\tcommands=(");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++)
		if (is_first(i)) {
			struct str word = first_word(i, &second);
			zsh_described(i, word.p, word.n, out);
		}
	buf_add_str(out,
		")\n\tif (( CURRENT == 2 )); then _describe command commands; return; fi\n"
		"\tcase $words[2] in\n");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		struct str word = first_word(i, &second);
		if (!*second)
			continue;
		buf_addf(out, "\t" STR_FMT ") subcommands+=(", STR_ARG(word));
		zsh_described(i, second, strlen(second), out);
		buf_add_str(out, ") ;|\n");
	}
	buf_add_str(out,
		"\tcompletion) subcommands=(bash zsh fish) ;;\n\tesac\n"
		"\tif (( CURRENT == 3 && $#subcommands )); then\n"
		"\t\t_describe command subcommands\n\tfi\n");
}

static void zsh_operands(size_t command, struct buf *out)
{
	const char *list = lists(command);

	buf_add_str(out, " \\\n\t\t'*: :");
	if (list && takes_files(command))
		buf_addf(out, "{_modelctl_offer %s; _files}", list);
	else if (list)
		buf_addf(out, "{_modelctl_offer %s}", list);
	else
		buf_add_str(out, takes_files(command) ? "_files" : " ");
	buf_add_str(out, "' ;;\n");
}

void completion_zsh(struct buf *out)
{
	const char *second;

	buf_add_str(out,
		"#compdef modelctl\n"
		"# zsh completion for modelctl: source <(modelctl completion zsh), behind "
		"compinit; or as _modelctl in $fpath\n"
		"_modelctl_list() {\n" LISTS_SH
		"}\n"
		"_modelctl_offer() {\n"
		"\tlocal -a found\n"
		"\tfound=(${(f)\"$(_modelctl_list $1 $PREFIX)\"})\n"
		"\tcompset -P '*@'\n"
		"\tcompadd -a found\n"
		"}\n"
		"_modelctl() {\n"
		"\tlocal -a commands subcommands\n");
	zsh_words(out);
	buf_add_str(out, "\tcase \"$words[2] $words[3]\" in\n");
	for (size_t n = 0; n < USAGE_COMMANDS_N; n++) {
		size_t i = specific_first(n);
		struct str word = first_word(i, &second);
		buf_addf(out, "\t" STR_FMT "\\ %s*) _arguments", STR_ARG(word), second);
		for (size_t j = 0; j < USAGE_OPTIONS_N; j++)
			if (takes(i, j))
				zsh_option(&usage_options[j], out);
		zsh_operands(i, out);
	}
	/* Loaded from $fpath, the file is the body of the function at its first call. */
	buf_add_str(out,
		"\tesac\n}\n"
		"if [ \"$funcstack[1]\" = _modelctl ]; then _modelctl \"$@\"; else compdef "
		"_modelctl modelctl; fi\n");
}

/* ---- fish ---- */

static void fish_option(const struct usage_option_row *o, struct buf *out)
{
	buf_addf(out, " -l %s", o->name);
	if (o->letter)
		buf_addf(out, " -s %c", o->letter);
	if (o->value)
		buf_add_str(out, " -r");
	buf_add_str(out, " -d ");
	quote(o->help, "\\", out);
	buf_add_char(out, '\n');
}

/* "jobs" is not "jobs watch". */
static void fish_not_seen(struct str first, struct buf *out)
{
	const char *second;
	bool any = false;

	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		if (!str_eq(first_word(i, &second), first) || !*second)
			continue;
		buf_addf(out, "%s %s", any ? "" : "; and not __fish_seen_subcommand_from", second);
		any = true;
	}
}

/* The condition that a command has been written. */
static void fish_seen(size_t command, struct buf *out)
{
	const char *second;
	struct str word = first_word(command, &second);

	buf_addf(out, "complete -c modelctl -n '__fish_seen_subcommand_from " STR_FMT,
		STR_ARG(word));
	if (*second)
		buf_addf(out, "; and __fish_seen_subcommand_from %s", second);
	else
		fish_not_seen(word, out);
	buf_add_char(out, '\'');
}

static void fish_command(size_t i, struct buf *out)
{
	const char *second;
	struct str word = first_word(i, &second);

	if (*second)
		buf_addf(out,
			"complete -c modelctl -n '__fish_seen_subcommand_from " STR_FMT
			"' -f -a %s -d ",
			STR_ARG(word), second);
	else
		buf_addf(out, "complete -c modelctl -n __fish_use_subcommand -f -a " STR_FMT " -d ",
			STR_ARG(word));
	quote(usage_commands[i].line, "\\", out);
	buf_add_char(out, '\n');
	for (size_t j = 0; j < USAGE_OPTIONS_N; j++)
		if (takes(i, j)) {
			fish_seen(i, out);
			fish_option(&usage_options[j], out);
		}
	if (!lists(i))
		return;
	fish_seen(i, out);
	buf_addf(out, "%s -a '(__modelctl_list %s)'\n", takes_files(i) ? "" : " -f", lists(i));
}

void completion_fish(struct buf *out)
{
	const char *second;

	buf_add_str(out,
		"# fish completion for modelctl: modelctl completion fish | source\n"
		"function __modelctl_list\n"
		"\tset -l word (commandline -ct)\n"
		"\tswitch $argv[1]:$word\n"
		"\tcase 'refs:*@*'\n"
		"\t\tset -l name (string split -m 1 @ -- $word)[1]\n"
		"\t\ttimeout 3 modelctl label ls -q -- $name 2>/dev/null | "
		"string replace -r '^' $name@\n"
		"\tcase 'refs:*' 'names:*'\n"
		"\t\ttimeout 3 modelctl ls -q -- $word 2>/dev/null\n"
		"\tcase 'jobs:*'\n"
		"\t\ttimeout 3 modelctl jobs -q 2>/dev/null\n"
		"\tcase 'tokens:*'\n"
		"\t\ttimeout 3 modelctl token ls -q 2>/dev/null\n"
		"\tend\n"
		"end\n");
	for (size_t i = 0; i < USAGE_COMMANDS_N; i++) {
		struct str word = first_word(i, &second);
		if (*second && is_first(i))
			buf_addf(out,
				"complete -c modelctl -n __fish_use_subcommand -f -a " STR_FMT "\n",
				STR_ARG(word));
		fish_command(i, out);
	}
	buf_add_str(out,
		"complete -c modelctl -n '__fish_seen_subcommand_from completion' -f -a "
		"'bash zsh fish'\n");
}
