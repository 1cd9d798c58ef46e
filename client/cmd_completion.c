/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cmd.h"
#include "client/completion.h"
#include "client/say.h"

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
	CLEANUP_BUF struct buf out = BUF_INIT(1u << 20);
	const char *shell = run_operand(run, 0);

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(shell, shells[i].name) != 0)
			continue;
		shells[i].write(&out);
		return say_out(&out, f);
	}
	return fault_usage(f, "there are completions for bash, zsh and fish, not for %.50s", shell);
}
