/* SPDX-License-Identifier: Apache-2.0 */
/* The part of fsck about coded forms. Inside the registry only. */
#pragma once

#include "common/registry/registry.h"

struct registry_fsck_forms {
	bool quick; /* the bytes are not read */
	/* A form that is wrong though its bytes are those that were kept. A negative answer stops
	 * the check and is returned. */
	int (*tell)(void *cls, const char *text, struct err *e);
	void *cls;
};

/* Every form decodes to what it is a form of. */
int registry_fsck_forms(struct registry *r, const struct registry_fsck_forms *how, struct err *e);
