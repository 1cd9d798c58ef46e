/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

bool num_parse(const char *s, size_t n, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		if (!num_mul(value, 10, &value) || !num_add(value, (uint64_t)(s[i] - '0'), &value))
			return false;
	}
	if (value > max)
		return false;
	*ret = value;
	return true;
}

static bool parse_with_unit(const char *s, const struct unit *units, size_t count, uint64_t *ret)
{
	size_t digits = strspn(s, "0123456789");
	uint64_t value;

	if (!num_parse(s, digits, UINT64_MAX, &value))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(s + digits, units[i].name) == 0)
			return num_mul(value, units[i].factor, ret);
	return false;
}

bool num_parse_size(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1}, {"B", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}, {"TiB", 1024 * GIB},
	};

	return parse_with_unit(s, units, ARRAY_SIZE(units), ret);
}

bool num_parse_duration(const char *s, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
	};

	if (strcmp(s, "0") == 0) {
		*ret_ms = 0;
		return true;
	}
	return parse_with_unit(s, units, ARRAY_SIZE(units), ret_ms);
}

const char *num_format_size(uint64_t bytes, char *buf)
{
	static const struct unit units[] = {
		{"TiB", 1024 * GIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (bytes < units[i].factor)
			continue;
		double value = (double)bytes / (double)units[i].factor;
		bool whole = bytes % units[i].factor == 0;
		(void)snprintf(buf, NUM_SIZE_TEXT, whole ? "%.0f %s" : "%.1f %s", value,
			units[i].name);
		return buf;
	}
	(void)snprintf(buf, NUM_SIZE_TEXT, "%" PRIu64 " B", bytes);
	return buf;
}
