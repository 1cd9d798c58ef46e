/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the catalog's front share. */
#pragma once

#include "common/base/err.h"

/* Is it worth calling again what ended with `r`? Waits a little before it says so. */
bool catalog_retry(int r, unsigned *tries);

/* The call, repeated while the engine is busy. */
#define CATALOG_RETRY(call) \
	({ \
		unsigned tries_ = 0; \
		int r_; \
		do \
			r_ = (call); \
		while (catalog_retry(r_, &tries_)); \
		r_; \
	})
