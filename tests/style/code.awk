# SPDX-License-Identifier: Apache-2.0
# C as the compiler sees it: "<file>:<line>\t<code>" with comments gone and strings emptied.
# An #include keeps what it includes.
FNR == 1 {
	in_comment = 0
}
{
	line = $0
	out = ""
	while (line != "") {
		if (in_comment) {
			at = index(line, "*/")
			if (at == 0)
				break
			in_comment = 0
			line = substr(line, at + 2)
			out = out " "
		} else if (substr(line, 1, 2) == "/*") {
			in_comment = 1
			line = substr(line, 3)
		} else if (substr(line, 1, 2) == "//") {
			break
		} else if (out !~ /^[ \t]*#[ \t]*include/ && match(line, /^"([^"\\]|\\.)*"/)) {
			out = out "\"\""
			line = substr(line, RLENGTH + 1)
		} else if (match(line, /^'([^'\\]|\\.)+'/)) {
			out = out "''"
			line = substr(line, RLENGTH + 1)
		} else {
			out = out substr(line, 1, 1)
			line = substr(line, 2)
		}
	}
	print FILENAME ":" FNR "\t" out
}
