#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the linker sees: calls go down the floors (floors.txt), a file exports its own prefix
# (prefixes.txt), and common/ never logs.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# "symbol <source> <name> <type>" for each global name in the objects of sources that still exist.
symbols() {
	for folder in common server client; do
		[ -d "$build/$folder" ] || continue
		find "$build/$folder" -name '*.o'
	done | sort | while read -r object; do
		source=${object#"$build/"}
		name=${source##*/}
		source=${source%/*}/${name##*-}
		source=${source%.o}.c
		[ -f "$source" ] || continue
		"${NM:-nm}" -gP "$object" | awk -v source="$source" '{ print "symbol", source, $1, $2 }'
	done
}

{
	table floors.txt | sed 's/^/floor /'
	table prefixes.txt | sed 's/^/prefix /'
	symbols
} | awk '
	function folder_of(path) {
		sub("/[^/]*$", "", path)
		return path
	}
	function own_prefix(source, name,    stem, n, i, list) {
		stem = source
		sub(".*/", "", stem)
		sub(/[.]c$/, "", stem)
		n = split((source in prefixes) ? prefixes[source] : stem, list, " ")
		for (i = 1; i <= n; i++)
			if (name == list[i] || index(name, list[i] "_") == 1)
				return 1
		return 0
	}
	$1 == "floor" {
		for (i = 3; i <= NF; i++)
			allowed[$2, $i] = 1
		allowed[$2, $2] = 1
	}
	# A word with a letter that no name has, or two blanks, begins the reason.
	$1 == "prefix" {
		line = $0
		sub(/^prefix +[^ ]+ +/, "", line)
		sub(/   *.*/, "", line)
		prefixes[$2] = line
	}
	$1 == "symbol" && $3 !~ /^_/ {
		if ($4 ~ /[UvwW]/ && $4 != "W") {
			uses[++n] = $2 " " $3
		} else {
			home[$3] = $2
			if (!own_prefix($2, $3))
				print $2 ":1: exports " $3 ", which does not start with its own name; see prefixes.txt"
		}
	}
	END {
		for (i = 1; i <= n; i++) {
			split(uses[i], use, " ")
			if (!(use[2] in home))
				continue
			from = folder_of(use[1])
			to = folder_of(home[use[2]])
			if (!((from, to) in allowed))
				print use[1] ":1: " from " does not stand on " to " (" use[2] "); see floors.txt"
			if (from ~ /^common\// && use[1] != home[use[2]] && use[2] ~ /^log_/)
				print use[1] ":1: logs (" use[2] "); common/ returns errors instead"
		}
		if (!n)
			print "symbols.sh:1: no object was found; build first"
	}
' | verdict
