# SPDX-License-Identifier: Apache-2.0
# Reads "WHAT NAME" of everything that there is, the line "texts", and then lines of Markdown as
# `grep -n` prints them; says what these name and is not there. docs.sh makes both.

function lost(sentence) {
	print where ": " sentence
}

function need(what, name, called) {
	if (!((what, name) in known))
		lost("there is no " called " " name)
}

# need() what is found in `text`, less what `before` and `after` match at its ends.
function each(text, pattern, before, after, what, called,    found) {
	while (match(text, pattern)) {
		found = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		sub("^" before, "", found)
		sub(after "$", "", found)
		if (what == "route")
			need_route(found)
		else if (what == "command")
			need_command(found)
		else if (what == "default")
			need_default(found)
		else if (!(what == "code" && found ~ no_codes) && !(what == "rule" && found ~ no_rules))
			need(what, found, called)
	}
}

# A path that ends in a slash is what several begin with.
function need_route(path,    i) {
	for (i = 1; i <= routes; i++)
		if (path ~ route[i] || path ~ /[/]$/ && index(begins[i], path) == 1)
			return
	lost("no route answers " path)
}

# The word behind the program, and whatever begins with two dashes.
function need_command(text,    words, word, i, n) {
	n = split(text, words, /[ =]+/)
	if (words[2] !~ /^(--)?[a-z][a-z-]*$/)
		return
	for (i = 2; i <= n; i++) {
		word = words[i]
		if (!sub(/^--/, "", word) && i > 2)
			continue
		if (!(("word", words[1] " " word) in known))
			lost(words[1] " knows no " words[i])
	}
}

# `section.key` (64MiB), which is what it is without a configuration.
function need_default(text) {
	gsub(/[`()]/, "", text)
	if (!(("default", text) in known))
		lost("not the default: " text)
}

function route_pattern(text) {
	gsub(/[{][a-z]*[+][}]/, "[^@]+", text)
	gsub(/[{][a-z]*@[}]/, "[^@]+@[^/]+", text)
	gsub(/[{][a-z]*[*][}]/, ".+", text)
	gsub(/[{][a-z]*[}]/, "[^/]+", text)
	return "^" text "$"
}

function first_part(name) {
	sub(/[.].*/, "", name)
	return name
}

function one_of(set,    word, all) {
	for (word in set)
		all = all (all ? "|" : "") word
	return "(" all ")"
}

BEGIN {
	no_codes = "^(GET|HEAD|PUT|POST|PATCH|DELETE|OPTIONS|NAME|FILE|DIR|URL|REF|HOME|BACKUP|(MODELD|MODELCTL|XDG|TCP)_.*)$"
	no_rules = "[.](bin|json|md|c|h|txt)$"
}

!begun && /^texts$/ {
	begun = 1
	section = one_of(sections)
	family = one_of(families)
	next
}

!begun {
	what = $1
	sub(/^[a-z]* /, "")
	known[what, $0] = 1
	if (what == "route")
		begins[++routes] = $0
	if (what == "route")
		route[routes] = route_pattern($0)
	else if (what == "rule")
		families[first_part($0)] = 1
	else if (what == "key")
		sections[first_part($0)] = 1
	next
}

{
	match($0, /^[^:]*:[0-9]*:/)
	where = substr($0, 1, RLENGTH - 1)
	line = substr($0, RLENGTH + 1)
}

line ~ /^```/ {
	fence = fence ? "" : line
	inside = ""
	next
}

fence ~ /^```ini/ && line ~ /^\[[a-z]+\]$/ {
	inside = substr(line, 2, length(line) - 2)
}

fence ~ /^```ini/ && match(line, /^[a-z_]+ =/) {
	need("key", inside "." substr(line, 1, RLENGTH - 2), "key")
}

{
	each(line, "(`|--set )" section "[.][a-z_]+(`|=| =)", "(`|--set )", "(`|=| =)", "key", "key")
	each(line, "`" section "[.][a-z_]+` \\([0-9]+[A-Za-z]*\\)", "", "", "default")
	each(line, "(modeld|process)_[a-z]+_[a-z_]+", "", "_(bucket|sum|count)", "metric", "metric")
	each(line, "Modeld[A-Z][A-Za-z]+", "", "", "alert", "alert")
	each(line, "`[A-Z][A-Z_]+`", "`", "`", "code", "error code")
	each(line, family "[.][a-z]+(-[a-z]+)+", "", "", "rule", "rule")
	each(line, "modeld[a-z@-]*[.](service|timer|socket|rules[.]yml)", "", "", "unit", "file")
	gsub(/sudo -u modeld /, "", line)
	if (fence ~ /^```sh/)
		each(line, "(^|[ $(])(modeld|modelctl) [^`|;#)&]+", "[ $(]", "", "command")
	else if (!fence)
		each(line, "`(modeld|modelctl) [^`|;#)&]+", "`", "", "command")
	gsub(/https?:\/\/[A-Za-z0-9.:-]+/, " ", line)
	each(line, "(^|[ `\"(])/(v1/|models|healthz|readyz|metrics|version)[^ `\"?)#|<]*", "[^/]", "[.,:;]*",
		"route")
}
