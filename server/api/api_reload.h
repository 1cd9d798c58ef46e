/* SPDX-License-Identifier: Apache-2.0 */
/* What came of the last reload of the configuration, for /readyz. Any thread; does not block. */
#pragma once

#include "common/base/err.h"

#include <pthread.h>
#include <stdint.h>

struct api_reload {
	pthread_mutex_t lock;
	uint64_t failed_ms; /* since 1970; 0: it went well, or there was none */
	char error[ERR_TEXT_MAX];
};

void api_reload_init(struct api_reload *x);
void api_reload_done(struct api_reload *x);
/* `error` NULL: it went well. */
void api_reload_note(struct api_reload *x, uint64_t now_ms, const char *error);
/* When the last one failed, and why; 0 when it did not. */
uint64_t api_reload_failure(struct api_reload *x, char error[ERR_TEXT_MAX]);
