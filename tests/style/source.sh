#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a reader sees: no banned call, no function over 60 lines and no file over 600 (long.txt has
# the exceptions), the licence on top, #pragma once in headers, lines of 100 columns at most.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

banned_calls() {
	files "c h def" common server client tests | while read -r file; do
		awk -f "$style/code.awk" "$file"
	done | awk -F '\t' '
		BEGIN {
			bounded = "it knows no bound; use buf_* or snprintf"
			number = "it cannot say what went wrong; use num_parse"
			shared = "its result is shared by all threads; use clock_* or the _r form"
			ban("strcpy strcat strncat sprintf vsprintf gets", bounded)
			ban("strncpy", "it may leave out the NUL; use snprintf")
			ban("atoi atol atoll atof", number)
			ban("strtok", "it keeps state; use str_split")
			ban("gmtime localtime ctime asctime strerror", shared)
			ban("alloca", "the stack has no error to return; use malloc")
			ban("rand srand random srandom", "it can be guessed; use digest_random_hex")
			ban("signal", "what it does depends on the system; use sigaction")
			ban("mktemp tmpnam tempnam", "its name can be taken by another; use fsio_*")
			ban("system popen", "a shell reads its argument; use posix_spawn")
		}
		function ban(names, reason,    list, n, i) {
			n = split(names, list, " ")
			for (i = 1; i <= n; i++)
				why[list[i]] = reason
		}
		{
			code = $0
			sub(/^[^\t]*\t/, "", code)
			while (match(code, /[A-Za-z_][A-Za-z_0-9]*[ \t]*[(]/)) {
				name = substr(code, RSTART, RLENGTH)
				before = RSTART > 1 ? substr(code, RSTART - 1, 1) : ""
				code = substr(code, RSTART + RLENGTH)
				sub(/[ \t]*[(]/, "", name)
				if (!(name in why) || before == "." || before == ">")
					continue
				if (name ~ /^(system|popen)$/ && $1 ~ /^tests\//)
					continue
				print $1 ": " name "() is not used here: " why[name]
			}
		}'
}

# A function's braces stand alone in the first column, as nothing else does.
long_functions() {
	{
		table long.txt | sed 's/^/long /'
		files c | while read -r file; do
			awk -v file="$file" '
				/^[A-Za-z_].*[(]/ { name = $0 }
				/^[{]/ { start = FNR }
				/^[}]/ && start {
					sub(/[(].*/, "", name)
					sub(/.*[ *]/, "", name)
					print "function", file, start, FNR - start - 1, name
					start = 0
				}
				END { print "file", file, 1, FNR, "-" }' "$file"
		done
	} | awk '
		$1 == "long" { excused[$2, $3] = 1; next }
		($2, $5) in excused { next }
		$1 == "function" && $4 > 60 { print $2 ":" $3 ": " $5 "() has " $4 " lines, more than 60" }
		$1 == "file" && $4 > 600 { print $2 ":1: " $4 " lines, more than 600" }'
}

heads() {
	files "c h def" common server client tests | while read -r file; do
		awk -v file="$file" '
			FNR == 1 && $0 != "/* SPDX-License-Identifier: Apache-2.0 */" {
				print file ":1: the licence line is missing"
			}
			/^#pragma once$/ { once = 1 }
			END { if (file ~ /[.]h$/ && !once) print file ":1: #pragma once is missing" }' "$file"
	done
	files "sh awk mjs js" common server client conf man systemd tests | while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0$' ||
			echo "$file:1: the licence line is missing"
	done
}

# Columns, with a tab up to the next multiple of 8 and one for a character of several bytes.
lines() {
	files "c h def inc sh awk mjs js md txt" common server client conf man systemd tests |
		grep -v '/fuzz/corpus/' | while read -r file; do
		awk -v file="$file" '
			function columns(s,    n, at) {
				while ((at = index(s, "\t")) > 0) {
					n += at - 1
					n += 8 - n % 8
					s = substr(s, at + 1)
				}
				return n + length(s)
			}
			/[ \t\r]$/ { print file ":" FNR ": white space at the end of the line" }
			file ~ /[.][ch]$/ {
				gsub(/[\200-\277]/, "")
				if (columns($0) > 100)
					print file ":" FNR ": " columns($0) " columns, more than 100"
			}' "$file"
	done
}

# How long a comparison of secrets takes must not tell where they differ.
secrets() {
	files c server/auth | while read -r file; do
		awk -f "$style/code.awk" "$file"
	done | awk -F '\t' '
		/[^a-z_](memcmp|bcmp|timingsafe_bcmp)[ \t]*[(]/ { print $1 ": secrets are compared by secret_eq()" }
		/[^a-z_]digest_eq[ \t]*[(]/ && $1 !~ /roster[.]c/ { print $1 ": secrets are compared by secret_eq()" }'
}

{
	banned_calls
	secrets
	long_functions
	heads
	lines
} | verdict
