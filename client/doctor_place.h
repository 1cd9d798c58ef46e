/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of host a model lies on, and which of its settings a rule of doctor is about. Pure. */
#pragma once

#include "client/doctor_rule.h"
#include "common/base/str.h"

enum doctor_place {
	DOCTOR_PLACE_OTHER,
#define PLACE(ident, name, server, hosts) DOCTOR_PLACE_##ident,
#include "client/doctor_place.def"
#undef PLACE
	DOCTOR_PLACES_N
};

/* By the host of the URL and the Server that the answer names; an empty one is none. */
enum doctor_place doctor_place_of(const char *host, struct str server);
/* "nginx"; NULL for DOCTOR_PLACE_OTHER. */
const char *doctor_place_name(enum doctor_place p);
/* NULL when there is nothing to say that is not said of every host. */
const char *doctor_place_advice(enum doctor_place p, enum doctor_rule rule);
