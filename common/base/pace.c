/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/pace.h"
#include "common/base/num.h"

uint64_t pace_take(struct pace *p, uint64_t now_ms, size_t n)
{
	uint64_t earliest = now_ms > PACE_BURST_MS ? now_ms - PACE_BURST_MS : 0;
	uint64_t owed;

	if (p->rate == 0)
		return 0;
	if (p->free_ms < earliest) {
		p->free_ms = earliest;
		p->rest = 0;
	}
	if (!num_mul(n, 1000, &owed) || !num_add(owed, p->rest, &owed))
		owed = UINT64_MAX;
	p->rest = owed % p->rate;
	if (!num_add(p->free_ms, owed / p->rate, &p->free_ms))
		p->free_ms = UINT64_MAX;
	return p->free_ms >= now_ms ? p->free_ms - now_ms + (p->rest > 0) : 0;
}
