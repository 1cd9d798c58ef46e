#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test there is, as steps that go on when one has failed: `./dev test` runs this. What a step
# says goes to build/log/; the end of it is shown when it fails. The last line sums up.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

fuzz_seconds=10
file_limit=30m
case ${1-} in
'') ;;
--long)
  fuzz_seconds=300
  file_limit=60m
  export CRASH_ROUNDS=300 POWER_ROUNDS=100 FAULTS=all SLOW_SECONDS=120
  ;;
*) echo "usage: ./dev test [--long]" >&2 && exit 2 ;;
esac

top=$PWD
logs=$top/build/log
mkdir -p "$logs"
MAKEFLAGS="-j$(nproc) --no-print-directory"
export MAKEFLAGS
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export CK_VERBOSITY=normal
# A test that hangs ends, and one on a busy machine does not.
export CK_DEFAULT_TIMEOUT=300 CK_TIMEOUT_MULTIPLIER=5
# Names we use ourselves, and words for daemons started by the user: none of it is for the tests.
unset MODELD MODELD_PLAIN MODELD_WRAPPER OPENAPI_SEEN CC CFLAGS LDFLAGS

passed=0
failed=0

# step NAME COMMAND...: the command may print lines "counted P F"; else it counts as one. With 77 it could
# not be run here, and the last line says why.
step() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
  judge "$name" "$start" "$status"
}

# begin NAME COMMAND... and later finish NAME: a step beside those that come between.
declare -A begun began
begin() {
  local name=$1
  shift
  "$@" >"$logs/$name.log" 2>&1 </dev/null &
  begun[$name]=$!
  began[$name]=$SECONDS
}

finish() {
  local status=0
  wait "${begun[$1]}" || status=$?
  judge "$1" "${began[$1]}" "$status"
}

# why LOG: what failed, where Node's reporter says it; else the end.
why() {
  if grep -q '^✖ failing tests:' "$1"; then
    awk '/^✖ failing tests:/ { shown = 1 } /^counted / { shown = 0 } shown' "$1" | head -n 200
  else
    tail -n 60 "$1"
  fi
}

# judge NAME START STATUS: by what it said and how it ended.
judge() {
  local name=$1 start=$2 status=$3 log=$logs/$1.log ok bad verdict=ok
  read -r ok bad < <(awk '$1 == "counted" { p += $2; f += $3 } END { print p + 0, f + 0 }' "$log")
  if [ "$status" = 77 ]; then
    printf '%-6s %4d s  %-12s %s\n' skipped $((SECONDS - start)) "$name" "$(tail -n 1 "$log")"
    return
  fi
  if [ "$status" != 0 ] || [ "$bad" != 0 ]; then
    verdict=FAILED
    [ "$bad" != 0 ] || bad=1
  elif [ "$ok" = 0 ]; then
    ok=1
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  printf '%-6s %4d s  %-12s %d passed, %d failed\n' $verdict $((SECONDS - start)) "$name" "$ok" "$bad"
  [ $verdict = ok ] || why "$log" | sed 's/^/    | /'
}

# configured FOLDER ARGUMENT...: configure build/FOLDER, unless it was with just these arguments.
configured() {
  local folder=build/$1
  shift
  [ -x configure ] || autoreconf -i || return
  [ "$(cat "$folder/.arguments" 2>/dev/null)" = "$*" ] && return
  rm -rf "$folder"
  mkdir -p "$folder"
  # shellcheck disable=SC2016
  (cd "$folder" && ../../configure --quiet --enable-werror --prefix=/opt/modeld \
    --with-systemdsystemunitdir='${prefix}/lib/systemd/system' "$@") &&
    echo "$*" >"$folder/.arguments"
}

# What `make check` found in a build folder: cases where a program counts them, else programs.
count_checks() {
  local result log
  find "$1/tests" -name '*.trs' | while read -r result; do
    log=${result%.trs}.log
    awk '
      /^:test-result:/ { verdict = $2 }
      /%: Checks: [0-9]+, Failures: / { checks += $3; bad += $5 + $7 }
      /^[0-9]+ passed, [0-9]+ failed$/ { checks += $1 + $3; bad += $3 }
      END {
        if (verdict == "SKIP")
          exit
        if (!checks)
          checks = 1
        if (verdict != "PASS" && !bad)
          bad = 1
        print "counted", checks - bad, bad + 0
      }' "$log" "$result"
    grep -q '^:test-result: PASS' "$result" || cat "$log"
  done
}

# build_and_check FOLDER ARGUMENT...
build_and_check() {
  local status=0
  configured "$@" || return
  make -C "build/$1" || return
  find "build/$1" -name '*.trs' -delete
  timeout 40m make -C "build/$1" check || status=$?
  count_checks "build/$1"
  return $status
}

only_build() {
  configured "$@" && make -C "build/$1" && make -C "build/$1" check TESTS=
}

# Each target from its seeds and what earlier runs found, into build/found.
fuzz() {
  local source name log bad=() status=0
  configured fuzz CC=clang --enable-fuzz --enable-sanitizers=address,undefined || return
  make -C build/fuzz fuzzers || return
  for source in tests/fuzz/fuzz_*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    log=$logs/$name.log
    mkdir -p "build/found/$name"
    if "build/fuzz/tests/fuzz/$name" -max_total_time=$fuzz_seconds -timeout=60 -rss_limit_mb=2048 \
      -print_final_stats=1 -verbosity=1 -artifact_prefix="build/log/$name-" \
      "build/found/$name" "tests/fuzz/corpus/${name#fuzz_}" >"$log" 2>&1; then
      echo "counted 1 0"
    else
      echo "counted 0 1"
      bad+=("$name")
    fi
  done
  for name in "${bad[@]}"; do
    echo "$name:"
    grep -v '^#[0-9]' "$logs/$name.log" | tail -n 40
    status=1
  done
  return $status
}

# node_tests FILE...: one after the other, for some measure. The daemons come in the environment.
node_tests() {
  local file status=0 tap=$logs/tap.$BASHPID
  for file; do
    timeout -k 10 $file_limit node --test --test-reporter=spec --test-reporter-destination=stdout \
      --test-reporter=tap --test-reporter-destination="$tap" "$file" || status=1
    awk '
      /^# pass / { ok = $3 }
      /^# (fail|cancelled) / { bad += $3 }
      END { print "counted", ok + 0, bad + 0 }' "$tap"
    rm -f "$tap"
  done
  return $status
}

# Publishes, reads, label moves, deletions and collections at once, and what threads share a commit or a
# sync in, under ThreadSanitizer; fetching, imports and answers that wait for news, too, and a daemon that
# reloads its configuration under load.
threads() {
  local test status=0
  configured tsan CC=gcc --enable-sanitizers=thread || return
  for test in test_registry_race test_catalog_pool test_blobs_ahead test_blobs_sync test_digest_pool \
    test_access_log test_workpool test_importer test_importer_mirrors test_fetch test_fetch_life test_feed \
    test_snapshot; do
    if make -C build/tsan "tests/unit/$test" && "build/tsan/tests/unit/$test"; then
      echo "counted 1 0"
    else
      echo "counted 0 1"
      status=1
    fi
  done
  if ! make -C build/tsan modeld || ! MODELD=$top/build/tsan/modeld node_tests tests/http/reload.test.mjs \
    tests/http/large-bodies.test.mjs; then
    status=1
  fi
  return $status
}

# The daemon has a thread of low priority, and under valgrind one thread runs at a time: what comes before
# that one would come before the whole daemon. In a session of its own that is nobody else, where the system
# shares the processors among sessions (sched(7), autogroup).
under_valgrind() {
  local wrapper="setsid valgrind --quiet --error-exitcode=99 --leak-check=full --num-callers=30"
  wrapper+=" --errors-for-leak-kinds=definite"
  MODELD=$top/build/gcc/modeld MODELD_WRAPPER=$wrapper node_tests tests/http/*.test.mjs
}

# HTTP tests that have little to say about the service's sandbox: they take daemons of their own making,
# its memory or its patience, modelctl alone, what the API says, or the fetching that others do as well.
not_as_service="api-docs crash crash-calls disk-full flood framing idle import-full import-jobs
  import-means import-transfers inject jobs life memory modelctl modelctl-completion modelctl-diff
  modelctl-doctor modelctl-lint modelctl-login modelctl-token moving openapi openapi-answers order power
  precompress proxy retention service short-writes slow slowhttptest"

as_service_files() {
  local file name
  for file in tests/http/*.test.mjs; do
    name=$(basename "$file" .test.mjs)
    [[ " ${not_as_service//$'\n'/ } " == *" $name "* ]] || echo "$file"
  done
}

inside_machine() {
  local status=0
  node_tests tests/systemd/*.test.mjs || status=1
  # shellcheck disable=SC2046
  MODELD_WRAPPER=$top/tests/systemd/as-service node_tests $(as_service_files) || status=1
  return $status
}

# A real systemd in a machine of its own: the life of the units as they are installed, then the daemons of
# the HTTP tests, each in the sandbox that modeld.service makes.
sandbox() {
  export -f node_tests as_service_files inside_machine
  export top logs file_limit not_as_service
  MODELD=$top/build/gcc/modeld MODELD_PLAIN=$top/build/gcc/modeld \
    tests/systemd/machine build/gcc bash -c inside_machine
}

distcheck() {
  make -C build/gcc distcheck
}

# What is installed is the list tests/install.txt, no more and no less.
install_check() {
  local root=$top/build/install
  rm -rf "$root"
  make -C build/gcc install DESTDIR="$root" || return
  (cd "$root/opt/modeld" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort) |
    diff <(grep -v '^#' tests/install.txt | LC_ALL=C sort) - || return
  "$root/opt/modeld/bin/modeld" --version
}

in_git() {
  git rev-parse --is-inside-work-tree >/dev/null 2>&1
}

tree_state() {
  git status --porcelain --untracked-files=all
}

tree_unchanged() {
  [ "$(tree_state)" = "$tree_before" ] || { tree_state && false; }
}

tree_before=$(in_git && tree_state)

step servers node tests/lib/packages.mjs nginx caddy promtool
step plain build_and_check gcc CC=gcc
# By far the longest, and seldom on more than one processor.
begin valgrind under_valgrind
# Most of it waits for systemd.
begin sandbox sandbox
step sanitized build_and_check asan CC=gcc --enable-sanitizers=address,undefined
step clang only_build clang CC=clang
step threads threads
step fuzz fuzz
export MODELD=$top/build/asan/modeld MODELD_PLAIN=$top/build/gcc/modeld OPENAPI_SEEN=$logs/openapi
rm -rf "$OPENAPI_SEEN"
step http node_tests tests/http/*.test.mjs
step tfjs node_tests tests/tfjs/*.test.mjs
# Which answers of the description of the API those two saw.
step openapi node tests/openapi.mjs "$OPENAPI_SEEN"
unset MODELD MODELD_PLAIN OPENAPI_SEEN
finish sandbox
step deb tests/deb/packages.sh build/gcc
finish valgrind
step distcheck distcheck
step install install_check
if in_git; then step tree tree_unchanged; fi

echo "the logs are in build/log"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
