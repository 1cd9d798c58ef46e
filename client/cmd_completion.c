/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/completion.h"
#include "client/say.h"

#define SCRIPT_MAX (1u << 20)

static int say_script(const char *shell, const struct buf *script, struct fault *f)
{
	CLEANUP_BUF struct buf json = BUF_INIT(SCRIPT_MAX * 2);
	struct json_write w;

	json_write_init(&w, &json);
	json_write_object(&w, NULL);
	json_write_str(&w, "shell", shell);
	json_write_str(&w, "script", buf_str(script));
	json_write_object_end(&w);
	return say_json(&json, f);
}

int cmd_completion(struct run *run, struct fault *f)
{
	static const struct {
		const char *name;
		void (*write)(struct buf *out);
	} shells[] = {
		{"bash", completion_bash},
		{"zsh", completion_zsh},
		{"fish", completion_fish},
	};
	CLEANUP_BUF struct buf out = BUF_INIT(SCRIPT_MAX);
	const char *shell = run_operand(run, 0);

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(shell, shells[i].name) != 0)
			continue;
		shells[i].write(&out);
		return run->json ? say_script(shell, &out, f) : say_out(&out, f);
	}
	return fault_usage(f, "there are completions for bash, zsh and fish, not for %.50s", shell);
}
