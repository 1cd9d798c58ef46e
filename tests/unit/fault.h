/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that fail on demand: the calls of both are counted together, and the n-th fails. */
#pragma once

#include "common/store/blobs.h"
#include "common/store/catalog.h"

enum fault_mode {
	FAULT_ONCE,       /* the n-th call does nothing and fails */
	FAULT_ONCE_AFTER, /* the n-th call does its work and says that it failed */
	FAULT_FROM_ON,    /* every call from the n-th on does nothing and fails */
};

struct fault {
	enum fault_mode mode;
	unsigned fail_at; /* 0: never */
	unsigned calls;
	bool fired;
	bool publish_after;           /* the catalog's publish commits and says that it failed */
	void (*before_publish)(void); /* runs once, right before the catalog's publish */
	void (*before_open)(void);    /* the same before a blob is opened */
};

extern struct fault fault;

/* Forget all and count anew; `fail_at` 0 switches faults off. */
void fault_arm(enum fault_mode mode, unsigned fail_at);

int fault_before(struct err *e, unsigned *ret_call);
int fault_after(struct err *e, unsigned call);

/* Wraps a backend, which the result owns. */
struct blobs *blobs_fault(struct blobs *inner);
struct catalog *catalog_fault(struct catalog *inner);
