/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of doctor, by doctor.def. */
#pragma once

enum doctor_rule {
#define DOCTOR_RULE(ident, id, severity, fix) DOCTOR_##ident,
#include "client/doctor.def"
#undef DOCTOR_RULE
};
