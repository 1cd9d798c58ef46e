/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_reload.h"

#include <stdio.h>
#include <string.h>

void api_reload_init(struct api_reload *x)
{
	*x = (struct api_reload){.failed_ms = 0};
	(void)pthread_mutex_init(&x->lock, NULL);
}

void api_reload_done(struct api_reload *x)
{
	(void)pthread_mutex_destroy(&x->lock);
}

void api_reload_note(struct api_reload *x, uint64_t now_ms, const char *error)
{
	(void)pthread_mutex_lock(&x->lock);
	x->failed_ms = error ? now_ms : 0;
	(void)snprintf(x->error, sizeof(x->error), "%s", error ? error : "");
	(void)pthread_mutex_unlock(&x->lock);
}

uint64_t api_reload_failure(struct api_reload *x, char error[ERR_TEXT_MAX])
{
	uint64_t failed_ms;

	(void)pthread_mutex_lock(&x->lock);
	failed_ms = x->failed_ms;
	memcpy(error, x->error, sizeof(x->error));
	(void)pthread_mutex_unlock(&x->lock);
	return failed_ms;
}
