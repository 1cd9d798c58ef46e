/* SPDX-License-Identifier: Apache-2.0 */
/* modelctl: publishes TensorFlow.js models on a modeld server, and fetches them, from the
 * command line. Stands on common/ and speaks the public API; the daemon's own floors are not
 * here. */
#include "client/cmd.h"
#include "client/say.h"

#include <signal.h>
#include <stdio.h>

#define HELP_MAX 65536

static int (*const commands[USAGE_COMMANDS_N])(struct run *run, struct fault *f) = {
#define COMMAND(ident, words, operands, fewest, most, options, line, text, json) \
	[USAGE_CMD_##ident] = cmd_##ident,
#include "client/commands.def"
#undef COMMAND
};

static atomic_bool cancelled;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&cancelled, true);
}

/* The first one ends the work in order; the next one ends the program. What is ignored stays so:
 * shells start jobs in the background without SIGINT, and nohup(1) takes SIGHUP away. */
static void catch_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction before;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			(void)sigaction(numbers[i], &stop, NULL);
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

/* Nobody reads any more (`modelctl ls | head -1`): end as programs do. */
static void end_as_pipe(void)
{
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	(void)raise(SIGPIPE);
}

static int choose_color(struct run *run, struct fault *f)
{
	const char *when = args_value(run->args, USAGE_COLOR), *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	/* no-color.org: whatever its value, unless it is empty */
	bool allowed = (!no_color || !*no_color) && (!term || strcmp(term, "dumb") != 0);

	run->err_terminal = isatty(STDERR_FILENO) == 1;
	if (!when || strcmp(when, "auto") == 0) {
		run->color = allowed && isatty(STDOUT_FILENO) == 1;
		run->err_color = allowed && run->err_terminal;
	} else if (strcmp(when, "always") == 0) {
		run->color = run->err_color = true;
	} else if (strcmp(when, "never") != 0) {
		return fault_usage(f, "--color is auto, always or never, not \"%s\"", when);
	}
	return 0;
}

static int execute(struct run *run, char *const *env, struct fault *f)
{
	CLEANUP(settings_done) struct settings settings = {.server = NULL};
	int r = choose_color(run, f);

	if (r == 0)
		r = settings_read(run->args, env, &settings, f);
	if (r < 0)
		return r;
	run->settings = &settings;
	return commands[run->args->command](run, f);
}

static int print_wish(const struct args *a, struct fault *f)
{
	CLEANUP_BUF struct buf text = BUF_INIT(HELP_MAX);

	if (a->wish == ARGS_VERSION)
		buf_add_str(&text, "modelctl " PACKAGE_VERSION "\n");
	else if (a->wish == ARGS_HELP)
		usage_help(&text);
	else
		usage_help_command(a->command, &text);
	return say_out(&text, f);
}

static int do_args(struct run *run, const struct args *args, char *const *env, struct fault *f)
{
	run->args = args;
	if (args->wish != ARGS_RUN)
		return print_wish(args, f);
	run->json = args_has(args, USAGE_JSON);
	run->quiet = args_has(args, USAGE_QUIET);
	return execute(run, env, f);
}

/* Where the words could not be read, for how to say so. */
static bool wants_json(char *const *argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--json") == 0)
			return true;
	return false;
}

int main(int argc, char **argv, char **env)
{
	CLEANUP(fault_done) struct fault f = {.exit = FAULT_NONE};
	CLEANUP(args_done) struct args args = {.given = NULL};
	struct run run = {.cancel = &cancelled, .json = wants_json(argv)};
	int r;

	catch_signals();
	r = args_read(argc, argv, &args, &f);
	if (r == 0)
		r = do_args(&run, &args, env, &f);
	if (r == 0)
		return run.exit;
	if (f.e.sys_errno == EPIPE)
		end_as_pipe();
	say_fault(&run, &f);
	return (int)fault_exit_of(&f);
}
