/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fault.h"

struct fault fault;

void fault_arm(enum fault_mode mode, unsigned fail_at)
{
	fault = (struct fault){.mode = mode, .fail_at = fail_at};
}

static int fail(struct err *e, unsigned call)
{
	fault.fired = true;
	return err_set(e, ERR_IO_FAILED, "call %u was made to fail", call);
}

int fault_before(struct err *e, unsigned *ret_call)
{
	unsigned call = ++fault.calls;

	*ret_call = call;
	if (fault.fail_at == 0 || fault.mode == FAULT_ONCE_AFTER)
		return 0;
	if (call == fault.fail_at || (fault.mode == FAULT_FROM_ON && call > fault.fail_at))
		return fail(e, call);
	return 0;
}

int fault_after(struct err *e, unsigned call)
{
	return fault.mode == FAULT_ONCE_AFTER && call == fault.fail_at ? fail(e, call) : 0;
}
