#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Debian packages and NEWS have the version of configure.ac, and every file that the packages are made
# of is in the tarball.
set -eu

cd "${1:-${srcdir:-.}}"
version=$(sed -n 's/^AC_INIT(\[modeld\], \[\([^]]*\)\].*/\1/p' configure.ac)
failed=0

# first FILE PATTERN: its first line is to match.
first() {
	sed 1q "$1" | grep -q "$2" || {
		echo "$1:1: is not of version $version, which configure.ac has"
		failed=1
	}
}

[ -n "$version" ] || {
	echo "configure.ac: names no version"
	exit 1
}
pattern=$(printf %s "$version" | sed 's/[.+]/\\&/g')
first debian/changelog "^modeld ($pattern) "
first NEWS "^modeld $pattern\( \|\$\)"
# What debhelper leaves there while it builds aside.
for file in debian/[a-z]* debian/source/* debian/tests/*; do
	case $file in
	debian/Makefile.inc) continue ;;
	debian/files | debian/autoreconf.* | *.substvars | *.debhelper | *.debhelper.log | *-stamp) continue ;;
	esac
	[ ! -f "$file" ] || grep -q "[[:space:]]$file\([[:space:]]\|\$\)" debian/Makefile.inc || {
		echo "debian/Makefile.inc: does not name $file, so that the tarball is without it"
		failed=1
	}
done
exit $failed
