#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# groff formats every manual without a warning.
set -eu

command -v groff >/dev/null || exit 77
said=$(for page in "${srcdir:-.}"/man/*.[1-9]; do
	groff -ww -b -man -Tutf8 -rLL=100n "$page" 2>&1 >/dev/null
done)
[ -z "$said" ] || {
	echo "$said"
	exit 1
}
