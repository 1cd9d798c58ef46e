#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The style checks can fail: each is shown a small clean house, which passes, and then the same house
# with one thing wrong, which does not, and says where.
# shellcheck disable=SC2016
set -eu

style=$(cd "$(dirname "$0")" && pwd)
house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
trap 'exit 1' HUP INT TERM
cd "$house"
passed=0
failed=0

# plant FILE: its text is standard input, behind the licence line, and for headers #pragma once.
plant() {
	mkdir -p "$(dirname "$1")"
	{
		echo '/* SPDX-License-Identifier: Apache-2.0 */'
		case $1 in *.h) echo '#pragma once' ;; esac
		cat
	} >"$1"
}

clean_house() {
	rm -rf common server tests out
	plant common/base/num.h <<-'END'
		int num_half(int n);
	END
	plant common/base/num.c <<-'END'
		#include "common/base/num.h"
		#include <stdio.h>
		/* strcpy(a, b) in a comment, "strcpy(" in a string and list.signal() are no calls. */
		int num_half(int n)
		{
			return n / 2 + (int)sizeof("strcpy(");
		}
	END
	plant common/json/json.h <<-'END'
		int json_depth(void);
	END
	plant common/json/json.c <<-'END'
		#include "common/json/json.h"
		#include "common/base/num.h"
		#include <cjson/cJSON.h>
		int json_depth(void)
		{
			return num_half(1000);
		}
	END
}

compile() {
	mkdir -p fake/cjson
	: >fake/cjson/cJSON.h
	find common server -name '*.c' 2>/dev/null | while read -r file; do
		mkdir -p "out/$(dirname "$file")"
		# shellcheck disable=SC2086
		${CC:-cc} -I. -Ifake -c "$file" -o "out/${file%.c}.o"
	done
}

note() {
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not right: $2"
		sed 's/^/    /' said
	fi
}

accepts() {
	mkdir -p out
	compile
	for check in includes symbols source; do
		if "$style/$check.sh" . out >said 2>&1; then note ok; else note bad "$check refuses $1"; fi
	done
}

# refuses CHECK WHERE WHAT: the check fails and its line begins with WHERE and contains WHAT.
refuses() {
	mkdir -p out
	[ "$1" != symbols ] || compile
	if "$style/$1.sh" . out >said 2>&1; then
		note bad "$1 accepts $2 ($3)"
	elif grep -F "$3" said | grep -q "^$2: "; then
		note ok
	else
		note bad "$1 does not say $2 ... $3"
	fi
	clean_house
}

clean_house
accepts "the clean house"

echo '#include "common/json/json.h"' >>common/base/num.c
refuses includes common/base/num.c:9 "common/base does not stand on common/json"
echo '#include "num.h"' >>common/base/num.c
refuses includes common/base/num.c:9 "not named by its path"
echo '#include "common/json/json.h"' | plant common/attic/box.c
refuses includes common/attic/box.c:2 "no line in floors.txt"
echo '#  include <cjson/cJSON.h>' >>common/base/num.h
refuses includes common/base/num.h:4 "belongs to common/json/json.c"
echo '#include <glib.h>' >>common/json/json.c
refuses includes common/json/json.c:9 "not in owners.txt"

plant common/base/num.c <<-'END'
	int json_depth(void);
	int num_half(int n) { return n / json_depth(); }
END
refuses symbols common/base/num.c:1 "common/base does not stand on common/json (json_depth)"
echo 'int helper(void) { return 1; }' >>common/base/num.c
refuses symbols common/base/num.c:1 "exports helper"
echo 'int numbers[3] = {1};' >>common/base/num.c
refuses symbols common/base/num.c:1 "exports numbers"
echo 'void log_event(void) {}' | plant common/base/log.c
echo 'void log_event(void); void json_x(void) { log_event(); }' >>common/json/json.c
refuses symbols common/json/json.c:1 "logs (log_event)"

for call in strcpy strcat sprintf gets strtok atoi atol alloca system popen gmtime localtime ctime \
	rand signal; do
	echo "void num_x(void) { (void)$call (0); }" >>common/base/num.c
	refuses source common/base/num.c:9 "$call() is not used here"
done
echo 'void t(void) { strcpy(0, 0); }' | plant tests/unit/test_num.c
refuses source tests/unit/test_num.c:2 "strcpy() is not used here"

{
	printf 'int num_long(void)\n{\n'
	yes '	;' | head -n 61
	echo '}'
} >>common/base/num.c
refuses source common/base/num.c:10 "num_long() has 61 lines"
yes '' | head -n 593 >>common/base/num.c
refuses source common/base/num.c:1 "601 lines"
sed -i 1d common/base/num.c
refuses source common/base/num.c:1 "licence"
sed -i 2d common/base/num.h
refuses source common/base/num.h:1 "#pragma once"
printf '#!/bin/sh\ntrue\n' >common/run.sh
refuses source common/run.sh:1 "licence"
rm -f common/run.sh
echo 'int num_x; ' >>common/base/num.h
refuses source common/base/num.h:4 "white space"
printf '/*\t%093d */\n' 0 >>common/base/num.h
refuses source common/base/num.h:4 "104 columns"

printf '/* ä %092d */\n' 0 >>common/base/num.h
accepts "a line of 100 columns with a character of two bytes"

# What a text may name, one of each kind; the text names WORDS.
text() {
	mkdir -p docs man conf/prometheus systemd client common/config common/base common/model \
		server/metrics server/api
	echo 'CONFIG_UINT(http, threads, "0", 0, 256,' >common/config/config.def
	echo 'ERR(BUSY, 503, OURS, "Too busy")' >common/base/err.def
	echo 'FINDING_RULE(JSON_SYNTAX, "json.bad-syntax", ERROR,' >common/model/finding.def
	echo 'METRIC(DAMAGED, GAUGE, "modeld_damaged_blobs", NULL, NULL,' >server/metrics/metrics.def
	: >server/metrics/metrics.c
	printf '\t{METHOD_GET, "/v1/models/{name+}/versions/{version}", &show},\n' >server/api/api_routes.c
	echo '{"serve", true, NULL}, {"store", required_argument},' >server/options.c
	printf 'f("there is %%s "\n\t\t"no key, %%s is " "taken")\n' >server/say.c
	echo 'COMMAND(label_set, "label set", "NAME", 2,' >client/commands.def
	echo 'OPTION(JSON, "json", 0,' >client/options.def
	echo '      - alert: ModeldDown' >conf/prometheus/modeld.rules.yml
	: >systemd/modeld.service.in
	printf '%s\n' "$@" >README.md
	echo '# A heading, of `one` sort' >docs/other.md
}

text '`http.threads` (0), `modeld_damaged_blobs`, `BUSY`, `json.bad-syntax`, ModeldDown, `modeld.service`' \
	'`/v1/models/team/pose/versions/7`, `/v1/`, [there](docs/other.md#a-heading-of-one-sort), `docs/other.md`' \
	'```ini' '[http]' 'threads = 2' '```' \
	'```sh' 'modeld serve --store ./var | modelctl label set a stable --json' '```' \
	'| message | do |' '|---|---|' '| `there is ... no key: x`, `... is taken` | nothing |'
if "$style/docs.sh" . >said 2>&1; then note ok; else note bad "docs refuses a true text"; fi

# untrue TEXT WHAT
untrue() {
	text "$1"
	refuses docs README.md:1 "$2"
}

untrue '`http.thread` threads' "no key http.thread"
untrue '`http.threads` (2) of them' "not the default: http.threads 2"
untrue 'modeld_damaged_files tells' "no metric modeld_damaged_files"
untrue 'the code `LAZY`' "no error code LAZY"
untrue 'the rule json.bad-grammar' "no rule json.bad-grammar"
untrue 'the alert ModeldUp' "no alert ModeldUp"
untrue 'start modeld.timer' "no file modeld.timer"
untrue 'see `/v1/models/team/pose/version/7`.' "no route answers /v1/models/team/pose/version/7"
untrue 'all below `/v1/modules/`' "no route answers /v1/modules/"
untrue 'GET http://127.0.0.1:8570/v1/modules' "no route answers /v1/modules"
untrue 'see `common/base/none.c`' "there is no common/base/none.c"
untrue 'see [it](docs/none.md)' "there is no docs/none.md"
untrue 'see [it](docs/other.md#nothing)' "docs/other.md#nothing has no such heading"
untrue 'run `modeld purge`' "modeld knows no purge"
untrue 'run `modelctl label set a b --force`' "modelctl knows no --force"
text '| message | do |' '|---|---|' '| `... is lost` | weep |'
refuses docs README.md:3 "nothing says: is lost"
text '```ini' '[http]' 'thread = 2' '```'
refuses docs README.md:3 "no key http.thread"
text '```sh' 'sudo -u modeld modeld serve --stores x' '```'
refuses docs README.md:2 "modeld knows no --stores"

# A program with one verb and one option, which its manual and its help know.
manual() {
	mkdir -p man server
	echo '{"quick", no_argument, NULL, 1}, {"fsck", OPTIONS_FSCK}' >server/options.c
	echo '"  modeld fsck [--quick]"' >server/options_help.c
	printf '%s\n' .TH '.B modeld fsck' .TP '.B fsck' .TP '.B \-\-quick' >man/modeld.8
}

# forgets FILE TEXT WHAT
forgets() {
	manual
	sed -i "s/$2//" "$1"
	if srcdir=. "$style/manuals.sh" >said 2>&1; then note bad "manuals takes $1 without $3"; fi
	if grep -q "^$1: there is no $3" said; then note ok; else note bad "manuals does not miss $3 in $1"; fi
}

forgets man/modeld.8 '.\\-\\-quick' --quick
forgets man/modeld.8 'modeld fsck' "fsck in the synopsis"
forgets man/modeld.8 '^.B fsck' "fsck among the verbs"
forgets server/options_help.c --quick --quick
forgets server/options_help.c 'modeld fsck' fsck

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
