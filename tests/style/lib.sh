# SPDX-License-Identifier: Apache-2.0
# Shared by the style checks, which source it. Each is run as `check.sh [SOURCES [BUILD]]`; automake
# gives the sources in $srcdir and runs in the build folder.
# shellcheck shell=sh disable=SC2034

set -eu
LC_ALL=C
export LC_ALL

style=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${2:-.}" && pwd)
cd "${1:-${srcdir:-.}}"
tables=${STYLE_TABLES:-$style}

# The lines of a table, without comments and blank lines.
table() {
	sed -e '/^#/d' -e '/^[[:space:]]*$/d' "$tables/$1"
}

# Files below the folders of the product, or below those given, with these endings: "c h def".
files() {
	endings=$1
	shift
	[ $# -gt 0 ] || set -- common server client
	for folder in "$@"; do
		[ -d "$folder" ] || continue
		for ending in $endings; do
			find "$folder" -name node_modules -prune -o -type f -name "*.$ending" -print
		done
	done | sort
}

# Reads what was found wrong, one "file:line: sentence" a line; shows it; fails when there was any.
verdict() {
	awk '{ print } END { exit NR > 0 }'
}
