#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# systemd takes the units as they are, and the service runs with next to no rights.
set -eu

# Tenths of the exposure that `systemd-analyze security` measures. What is left of the daemon is the
# network, which a server needs.
exposure=11
exposure_gc=2

command -v systemd-analyze >/dev/null || exit 77
units=${srcdir:-.}/systemd
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# An executable to start, for units that are not installed.
printf '#!/bin/sh\n' >"$tmp/modeld"
chmod +x "$tmp/modeld"
for unit in modeld modeld-gc; do
	sed "s,@bindir@,$tmp,g" "$units/$unit.service.in" >"$tmp/$unit.service"
done
cp "$units/modeld.socket" "$units/modeld-gc.timer" "$tmp/"

fail() {
	echo "$1"
	cat "$tmp/said"
	exit 1
}

if grep -n '@' "$tmp"/*.service | grep -v '@system-service\|@privileged' >"$tmp/said"; then
	fail "a placeholder stays in a unit:"
fi
# The manuals of the units are not installed yet, hence --man=no.
systemd-analyze verify --man=no --recursive-errors=no \
	"$tmp"/*.service "$tmp/modeld.socket" "$tmp/modeld-gc.timer" >"$tmp/said" 2>&1 ||
	fail "systemd-analyze verify:"
[ ! -s "$tmp/said" ] || fail "systemd-analyze verify complains:"
check_exposure() {
	systemd-analyze security --no-pager --offline=true --threshold="$2" "$tmp/$1" \
		>"$tmp/said" 2>&1 ||
		fail "systemd-analyze security finds more exposure of $1 than $2 tenths:"
}
check_exposure modeld.service $exposure
check_exposure modeld-gc.service $exposure_gc
if command -v systemd-sysusers >/dev/null; then
	mkdir "$tmp/etc"
	systemd-sysusers --root="$tmp" - <"$units/modeld.sysusers" >"$tmp/said" 2>&1 ||
		fail "systemd-sysusers:"
	grep -q '^modeld:.*:/var/lib/modeld:' "$tmp/etc/passwd" >"$tmp/said" ||
		fail "systemd-sysusers makes no user modeld"
fi
