#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# systemd takes the units as they are installed, and each service runs with next to no rights. Runs in
# the build folder, where make has put the services together.
set -eu

# Tenths of the exposure that `systemd-analyze security` measures. What is left of the daemon is the
# network, which a server needs that imports from elsewhere.
exposures='
modeld.service 11
modeld.service+private-network 2
modeld-gc.service 2
modeld-scrub.service 2
modeld-backup@.service 2
'

command -v systemd-analyze >/dev/null || exit 77
sources=${srcdir:-.}/systemd
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() {
	echo "$1"
	cat "$tmp/said"
	exit 1
}

# unit FILE: a service in $tmp that starts an executable which is there.
unit() {
	sed -E "s,^(Exec[A-Za-z]+=)/[^ ]*/modeld ,\1$tmp/modeld ," "$1" >"$tmp/$(basename "$1")"
}

printf '#!/bin/sh\n' >"$tmp/modeld"
chmod +x "$tmp/modeld"
for service in systemd/*.service; do
	unit "$service"
done
cp "$sources"/*.socket "$sources"/*.timer "$tmp/"

! grep -n '@[a-z_]*@' "$tmp"/*.service >"$tmp/said" || fail "a placeholder stays in a unit:"
for service in "$tmp"/*.service; do
	grep -q "^ExecStart=$tmp/modeld " "$service" || {
		echo "$(basename "$service") does not start modeld by its path"
		exit 1
	}
done

# A template is judged as one of its instances. The manuals of the units are not installed yet.
mkdir "$tmp/verified"
for file in "$tmp"/*.service "$tmp"/*.socket "$tmp"/*.timer; do
	name=$(basename "$file")
	case $name in *@.*) name=${name%@*}@srv-backup.${name##*.} ;; esac
	cp "$file" "$tmp/verified/$name"
done
systemd-analyze verify --man=no --recursive-errors=no "$tmp"/verified/* >"$tmp/said" 2>&1 ||
	fail "systemd-analyze verify:"
[ ! -s "$tmp/said" ] || fail "systemd-analyze verify complains:"

# check_exposure UNIT[+DROP-IN] TENTHS
check_exposure() {
	dir=$tmp/judged/$1
	name=${1%%+*}
	mkdir -p "$dir/$name.d"
	cp "$tmp/$name" "$dir/"
	[ "$name" = "$1" ] || cp "$sources/${1#*+}.conf" "$dir/$name.d/"
	systemd-analyze security --no-pager --offline=true --threshold="$2" "$dir/$name" >"$tmp/said" 2>&1 ||
		fail "systemd-analyze security finds more exposure of $1 than $2 tenths:"
	echo "$1 $2" >>"$tmp/judged/list"
}

mkdir "$tmp/judged"
echo "$exposures" | while read -r name tenths; do
	[ -z "$name" ] || check_exposure "$name" "$tenths"
done
for service in "$tmp"/*.service; do
	grep -q "^$(basename "$service") " "$tmp/judged/list" || {
		echo "no exposure is set for $(basename "$service")"
		exit 1
	}
done

if command -v systemd-sysusers >/dev/null; then
	mkdir "$tmp/etc"
	systemd-sysusers --root="$tmp" - <"$sources/modeld.sysusers" >"$tmp/said" 2>&1 ||
		fail "systemd-sysusers:"
	grep -q '^modeld:.*:/var/lib/modeld:' "$tmp/etc/passwd" >"$tmp/said" ||
		fail "systemd-sysusers makes no user modeld"
fi
