#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# groff formats every manual without a warning, and modeld(8) and --help know each verb and option that
# the program takes.
set -eu
cd "${srcdir:-.}"

# Texts with the dashes that one types.
plain() {
	sed 's/\\-/-/g; s/\\f[A-Z]//g' "$1"
}

# lacks FILE PATTERN WHAT: says so.
lacks() {
	plain "$1" | grep -q -e "$2" || echo "$1: there is no $3"
}

check_modeld() {
	grep -oh '{"[a-z-]*", [a-z]*_argument' server/options.c | sed 's/{"//; s/".*//' | while read -r option; do
		lacks man/modeld.8 "^[.][BITRP]* .*--$option\\b" "--$option"
		lacks server/options_help.c "--$option\\b" "--$option"
	done
	grep -oh '{"[a-z-]*", OPTIONS_' server/options.c | sed 's/{"//; s/".*//' | while read -r verb; do
		lacks man/modeld.8 "^[.]R*B \\(modeld $verb\\|\\[ $verb \\]\\)" "$verb in the synopsis"
		lacks man/modeld.8 "^[.]BI* \"*$verb\\b" "$verb among the verbs"
		lacks server/options_help.c "modeld \\[*$verb\\b" "$verb"
	done
}

said=$(
	check_modeld
	command -v groff >/dev/null || exit 0
	for page in man/*.[1-9]; do
		groff -ww -b -man -Tutf8 -rLL=100n "$page" 2>&1 >/dev/null
	done
)
[ -z "$said" ] || {
	echo "$said"
	exit 1
}
command -v groff >/dev/null || exit 77
