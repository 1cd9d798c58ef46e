#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes go down the floors (floors.txt), and each library's header has its owner (owners.txt).
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

{
	table floors.txt | sed 's/^/floor /'
	table owners.txt | sed 's/^/owner /'
	files "c h def" | while read -r file; do
		awk -f "$style/code.awk" "$file"
	done | sed -n 's/^\([^\t]*\)\t[ \t]*#[ \t]*include[ \t]*/include \1 /p'
} | awk '
	# A shell pattern as a regular expression.
	function pattern(p) {
		gsub(/[.]/, "[.]", p)
		gsub(/[*]/, ".*", p)
		return "^" p "$"
	}
	function folder_of(path) {
		sub("/[^/]*$", "", path)
		return path
	}
	function complain(sentence) {
		print where ": " sentence
	}
	$1 == "floor" {
		known[$2] = 1
		for (i = 3; i <= NF; i++) {
			if (!($i in known))
				print "floors.txt:1: " $2 " stands on " $i ", which has no line above it"
			allowed[$2, $i] = 1
		}
		allowed[$2, $2] = 1
	}
	$1 == "owner" {
		header[++owners] = pattern($2)
		owner[owners] = pattern($3)
		owner_name[owners] = $3
	}
	$1 != "include" {
		next
	}
	{
		where = $2
		from = $2
		sub(/:.*/, "", from)
		what = substr($3, 2, length($3) - 2)
		quoted = $3 ~ /^"/
	}
	quoted {
		if (!(folder_of(from) in known))
			complain(folder_of(from) " has no line in floors.txt")
		else if (!(folder_of(what) in known))
			complain("\"" what "\" is not named by its path from the top")
		else if (!((folder_of(from), folder_of(what)) in allowed))
			complain(folder_of(from) " does not stand on " folder_of(what) \
				" (\"" what "\"); see floors.txt")
		next
	}
	{
		whose = ""
		for (i = 1; i <= owners; i++)
			if (what ~ header[i]) {
				if (from ~ owner[i])
					next
				whose = whose " " owner_name[i]
			}
		complain("<" what ">" (whose ? " belongs to" whose : " is not in owners.txt"))
	}
' | verdict
