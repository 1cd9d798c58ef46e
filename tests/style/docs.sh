#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What README.md and docs/*.md name is there: keys of modeld.conf, metrics, alerts, URLs, error codes,
# rules, verbs and options, units, files, and where links lead.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

texts=$(ls README.md docs/*.md)

# "WHAT NAME" for everything that may be named.
names() {
	sed -n 's/^CONFIG_[A-Z]*(\([a-z]*\), \([a-z_]*\),.*/key \1.\2/p' common/config/config.def
	sed -n 's/^CONFIG_[A-Z]*(\([a-z]*\), \([a-z_]*\),[^"]*"\([^"]*\)".*/default \1.\2 \3/p' \
		common/config/config.def
	grep -oh '"\(modeld\|process\)_[a-z_]*"' server/metrics/*.def server/metrics/*.c |
		sed 's/"\(.*\)"/metric \1/'
	sed -n 's/^ *- alert: /alert /p' conf/prometheus/*.yml
	sed -n 's/^ERR(\([A-Z_]*\),.*/code \1/p' common/base/err.def
	sed -n 's/^FINDING_RULE([A-Z0-9_]*, "\([^"]*\)".*/rule \1/p' common/model/finding.def
	sed -n 's/^	{METHOD[^"]*"\([^"]*\)".*/route \1/p' server/api/api_routes.c
	grep -oh '{"[a-z-]*"' server/options*.c | sed 's/{"\(.*\)"/word modeld \1/'
	sed -n 's/^COMMAND([a-z_]*, "\([a-z]*\).*/word modelctl \1/p' client/commands.def
	sed -n 's/^OPTION([A-Z_]*, "\([a-z-]*\)".*/word modelctl \1/p' client/options.def
	find systemd conf docs man -type f | sed 's,.*/,unit ,; s/[.]in$//'
}

# "link FILE LINE TARGET" and "path FILE LINE NAME" of files of the tree that a text names.
targets() {
	for file in $texts; do
		awk -v file="$file" '
			function all(what, pattern, from, drop,    rest) {
				rest = $0
				while (match(rest, pattern)) {
					print what, file, FNR, substr(rest, RSTART + from, RLENGTH - from - drop)
					rest = substr(rest, RSTART + RLENGTH)
				}
			}
			/^```/ { fenced = !fenced }
			fenced { next }
			{
				all("link", "\\]\\([^):]+\\)", 2, 1)
				all("path", "`(common|server|client|conf|docs|man|systemd|tests)/[A-Za-z0-9_./-]+`", 1, 1)
			}' "$file"
	done
}

# The anchors of a text, as they are made of headings: lower case, dashes for blanks, nothing else.
anchors() {
	awk '/^```/ { fenced = !fenced } !fenced && /^#+ / { sub(/^#+ /, ""); print tolower($0) }' "$1" |
		sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

lost_targets() {
	targets | while read -r what file line target; do
		place=${target%%#*}
		case $what in
		link) place=$(dirname "$file")/${place:-$(basename "$file")} ;;
		esac
		if ! [ -e "$place" ]; then
			echo "$file:$line: there is no $target"
		elif [ "$target" != "${target#*#}" ] && ! anchors "$place" | grep -qx -- "${target#*#}"; then
			echo "$file:$line: $target has no such heading"
		fi
	done
}

lost_names() {
	{
		names
		echo texts
		# shellcheck disable=SC2086
		grep -n '' /dev/null $texts
	} | awk -f "$style/docs.awk"
}

# The text between the dots of each message in a table that begins with "| message |", up to a colon.
messages() {
	for file in $texts; do
		awk -v file="$file" '
			/^[|] message [|]/ { inside = 1; next }
			!/^[|]/ { inside = 0 }
			inside {
				rest = substr($0, 1, index(substr($0, 2), "|"))
				while (match(rest, /`[^`]+`/)) {
					text = substr(rest, RSTART + 1, RLENGTH - 2)
					rest = substr(rest, RSTART + RLENGTH)
					sub(/: .*/, "", text)
					n = split(text, part, /[.][.][.]/)
					for (i = 1; i <= n; i++)
						if (length(part[i]) > 5)
							print file, FNR, part[i]
				}
			}' "$file"
	done
}

lost_messages() {
	said=$(mktemp)
	# Literals that the compiler joins are one.
	files "c def" common server | xargs cat | tr '\n\t' '  ' | sed 's/" *" *//g' >"$said"
	messages | while read -r file line text; do
		grep -qF -- "$text" "$said" || echo "$file:$line: nothing says: $text"
	done
	rm -f "$said"
}

{
	lost_messages
	lost_targets
	lost_names
} | verdict
