#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# systemd takes the units as they are, and the service runs with next to no rights.
set -eu

# Tenths of the exposure that `systemd-analyze security` measures. What is left is the network, which
# a server needs.
exposure=11

command -v systemd-analyze >/dev/null || exit 77
units=${srcdir:-.}/systemd
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# An executable to start, for units that are not installed.
printf '#!/bin/sh\n' >"$tmp/modeld"
chmod +x "$tmp/modeld"
sed "s,@bindir@,$tmp,g" "$units/modeld.service.in" >"$tmp/modeld.service"
cp "$units/modeld.socket" "$tmp/"

fail() {
	echo "$1"
	cat "$tmp/said"
	exit 1
}

if grep -n '@' "$tmp/modeld.service" | grep -v '@system-service\|@privileged' >"$tmp/said"; then
	fail "a placeholder stays in modeld.service:"
fi
# The manuals of the units are not installed yet, hence --man=no.
systemd-analyze verify --man=no --recursive-errors=no \
	"$tmp/modeld.service" "$tmp/modeld.socket" >"$tmp/said" 2>&1 ||
	fail "systemd-analyze verify:"
[ ! -s "$tmp/said" ] || fail "systemd-analyze verify complains:"
systemd-analyze security --no-pager --offline=true --threshold=$exposure \
	"$tmp/modeld.service" >"$tmp/said" 2>&1 ||
	fail "systemd-analyze security finds more exposure than $exposure tenths:"
if command -v systemd-sysusers >/dev/null; then
	mkdir "$tmp/etc"
	systemd-sysusers --root="$tmp" - <"$units/modeld.sysusers" >"$tmp/said" 2>&1 ||
		fail "systemd-sysusers:"
	grep -q '^modeld:.*:/var/lib/modeld:' "$tmp/etc/passwd" >"$tmp/said" ||
		fail "systemd-sysusers makes no user modeld"
fi
