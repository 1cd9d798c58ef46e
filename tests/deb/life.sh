#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# life.sh VERSION: what becomes of the packages in /share on a machine that had never seen them, from their
# installation to their purge. /share/next has them again, as VERSION. For the machine of machine.sh.
set -euo pipefail

next=$1
url=http://127.0.0.1:8570
here=$(mktemp -d)
export HOME=$here
cd "$here"

fail() {
  echo "FAILED: $*"
  exit 1
}

# ok WORDS: what was just seen.
ok() {
  echo "ok: $*"
}

# same WHAT EXPECTED FOUND
same() {
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
}

install_packages() {
  apt-get install -q -y --no-install-recommends "$@" </dev/null
}

# Every file there is but those that come and go with a running machine, or hold what dpkg knows.
list_files() {
  find / -xdev \( -path "$here" -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \
    -o -path /tmp -o -path /run \) -prune -o -path /var/lib/apt -prune -o -print | LC_ALL=C sort
}

unit_state() {
  echo "$(systemctl is-enabled "$1" 2>&1 || true) $(systemctl is-active "$1" || true)"
}

optional_units() {
  dpkg -L modeld | sed -n 's,^/lib/systemd/system/\([^@]*\.\(socket\|timer\)\)$,\1,p'
}

main_pid() {
  systemctl show -P MainPID modeld.service
}

# The model that is to outlive everything.
check_model() {
  curl -fsS -o got.bin $url/models/kept/models/one@1/weights.bin || fail "the model is not served"
  cmp got.bin kept/weights.bin || fail "the model has changed"
}

publish_model() {
  mkdir kept
  cat >kept/model.json <<'END'
{"weightsManifest":[{"paths":["weights.bin"],"weights":[{"name":"w","shape":[1],"dtype":"float32"}]}]}
END
  printf '\000\000\200\077' >kept/weights.bin
  modelctl push kept kept/models/one
  check_model
}

check_installed() {
  local unit pid

  same "state of modeld.service" "enabled active" "$(unit_state modeld.service)"
  for unit in $(optional_units); do
    same "state of $unit" "disabled inactive" "$(unit_state "$unit")"
  done
  pid=$(main_pid)
  same "user of the daemon" modeld:modeld "$(stat -c %U:%G "/proc/$pid")"
  same "the store" "modeld:modeld 750" "$(stat -c '%U:%G %a' /var/lib/modeld)"
  same "the configuration" "root:root 644" "$(stat -c '%U:%G %a' /etc/modeld/modeld.conf)"
  same "conffiles" /etc/modeld/modeld.conf \
    "$(dpkg-query -W -f '${Conffiles}' modeld | awk '{ print $1 }' | xargs)"
  same "verification" "" "$(dpkg --verify modeld modelctl)"
  same "owners of what is installed" root:root \
    "$(dpkg -L modeld modelctl | grep / | xargs stat -c %U:%G | sort -u)"
}

check_completions() {
  bash -c '. /usr/share/bash-completion/completions/modelctl && complete -p modelctl' ||
    fail "bash has no completion for modelctl"
}

# What an administrator does; the configuration is changed in the file of the package itself.
change_configuration() {
  sed -i 's/^#hosts =$/hosts = changed.example/' /etc/modeld/modeld.conf
  printf '[limits]\nversions = 77\n' >/etc/modeld/conf.d/local.conf
  systemctl restart modeld
}

check_configuration() {
  modeld check-config >config
  grep -q '^hosts = changed.example' config || fail "the changed configuration file is gone"
  grep -q '^versions = 77' config || fail "a file of conf.d is gone"
}

# Asks until told to stop; a refused connection is one line in the file refused.
ask_on() {
  : >refused
  while [ ! -e stop ]; do
    curl -sS -o answer --retry 0 $url/healthz 2>>refused || echo refused >>refused
    echo asked >>asked
  done
}

# with_requests COMMAND...: while it runs, no request fails.
with_requests() {
  ask_on &
  "$@"
  : >stop
  wait $!
  [ -s asked ] || fail "nothing was asked meanwhile"
  [ ! -s refused ] || fail "requests failed: $(cat refused)"
}

install_first() {
  list_files >before
  install_packages /share/*.deb
  check_installed
  check_completions
  AUTOPKGTEST_TMP=$(mktemp -d) /share/smoke
  publish_model
  ok "installed, started and used"
}

upgrade() {
  local pid

  change_configuration
  systemctl reload modeld
  pid=$(main_pid)
  install_packages /share/next/*.deb
  same "version" "$next $next" "$(dpkg-query -W -f '${Version} ' modeld modelctl | xargs)"
  same "state of modeld.service" "enabled active" "$(unit_state modeld.service)"
  [ "$(main_pid)" != "$pid" ] || fail "the upgrade left the old daemon running"
  check_configuration
  check_model
  ok "upgraded; store and configuration are kept"
}

# reinstall: the packages of the next version over themselves, as any later upgrade.
reinstall() {
  dpkg -i /share/next/*.deb </dev/null
}

upgrade_behind_socket() {
  local pid since

  systemctl stop modeld.service
  systemctl enable --now modeld.socket modeld-gc.timer
  check_model
  pid=$(main_pid)
  since=$(systemctl show -P ActiveEnterTimestampMonotonic modeld.socket modeld-gc.timer)
  with_requests reinstall
  [ "$(main_pid)" != "$pid" ] || fail "the upgrade left the old daemon running"
  same "times since which socket and timer stand" "$since" \
    "$(systemctl show -P ActiveEnterTimestampMonotonic modeld.socket modeld-gc.timer)"
  same "state of modeld.socket" "enabled active" "$(unit_state modeld.socket)"
  same "state of modeld-gc.timer" "enabled active" "$(unit_state modeld-gc.timer)"
  check_model
  ok "upgraded behind its socket without a request that failed"
}

remove() {
  local unit

  apt-get remove -q -y modeld modelctl </dev/null
  for unit in modeld.service modeld.socket modeld-gc.timer; do
    same "state of $unit" inactive "$(systemctl is-active "$unit")"
  done
  if curl -sS $url/healthz; then
    fail "somebody still answers"
  fi
  [ ! -e /usr/bin/modeld ] || fail "the daemon is still there"
  grep -q '^hosts = changed.example' /etc/modeld/modeld.conf || fail "the configuration is gone"
  [ -s /etc/modeld/conf.d/local.conf ] || fail "a file of conf.d is gone"
  [ -s /var/lib/modeld/catalog.db ] || fail "the store is gone"
  ok "removed; store and configuration are kept"
}

install_again() {
  install_packages /share/next/*.deb
  same "state of modeld.service" "enabled active" "$(unit_state modeld.service)"
  check_model
  ok "installed again: $1"
}

# README.Debian says what stays.
purge() {
  apt-get purge -q -y modeld modelctl </dev/null
  list_files >after
  diff before after | sed -n 's/^[<>]/&/p' | grep -v '^> /var/lib/modeld\(/\|$\)' >left || true
  printf '> %s\n' /etc/modeld /etc/modeld/conf.d /etc/modeld/conf.d/local.conf |
    diff - left || fail "what stays after a purge is not what README.Debian says"
  same "the store" "modeld:modeld 750" "$(stat -c '%U:%G %a' /var/lib/modeld)"
  ok "purged; store, user and what was added are kept"
}

# README.Debian says how.
make_token() {
  local token

  token=$(cd / && runuser -u modeld -- modeld token create --scope admin --store /var/lib/modeld)
  if modelctl push kept kept/models/two; then
    fail "with a token made, anybody may still publish"
  fi
  MODELCTL_TOKEN=$token modelctl push kept kept/models/two
  ok "a token made as README.Debian says is needed for publishing"
}

install_first
upgrade
upgrade_behind_socket
remove
install_again "configuration and models are those from before"
check_configuration
purge
install_again "a store that outlived the purge is served"
make_token
