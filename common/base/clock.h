/* SPDX-License-Identifier: Apache-2.0 */
/* Wall time for people and records, monotonic time for waiting. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_now_ms(void);  /* milliseconds since 1970-01-01 UTC */
uint64_t clock_mono_ms(void); /* milliseconds of a clock that never goes back */

/* RFC 9110 5.6.7 IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". `buf` holds CLOCK_TEXT bytes. */
#define CLOCK_TEXT 32
const char *clock_http_date(uint64_t ms, char *buf);
/* The three date forms that RFC 9110 5.6.7 asks a recipient to read. Seconds become *ret_ms. */
bool clock_parse_http_date(const char *s, uint64_t *ret_ms);

/* RFC 3339 with milliseconds: "2026-11-23T07:35:58.123Z". `buf` holds CLOCK_TEXT bytes. */
const char *clock_rfc3339(uint64_t ms, char *buf);
