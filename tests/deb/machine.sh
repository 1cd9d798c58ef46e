#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# machine.sh ROOT SHARE COMMAND...: run the command as root of a machine of its own, where systemd is the
# first process. It is made of namespaces and a writable layer in memory over the files below ROOT, which
# stay as they are; its network is its own loopback. The folder SHARE is seen there as /share, read-only.
# Exits like the command.
set -euo pipefail

start_seconds=120

# ---- in the new namespaces, until systemd is executed ----

mount_files() {
  local root=$work/root

  mount -t tmpfs -o mode=755 machine "$work"
  mkdir "$work/upper" "$work/work" "$root"
  mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" machine "$root"
  mkdir "$root/share" "$root/old"
  mount --bind "$share" "$root/share"
  mount -o remount,bind,ro "$root/share"
  mount -t proc proc "$root/proc"
  mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$root/dev/"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s pts/ptmx "$root/dev/ptmx"
  cd "$root"
}

boot() {
  exec 2>&3 3>&-
  lower=$1 share=$2 work=$3
  mount_files
  echo machine >etc/hostname
  # Without one it would be the first start of this machine, which enables every unit.
  tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
  # The kernel is that of both.
  ln -s /dev/null etc/systemd/system/systemd-modules-load.service
  pivot_root . old
  umount -l old
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=machine \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=0
}

# ---- outside: a control group, and somebody to wait ----

leave() {
  [ -z "${pid-}" ] || kill -KILL "$pid" 2>/dev/null || true
  [ -z "${unshare_pid-}" ] || wait "$unshare_pid" 2>/dev/null || true
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

inside() {
  nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup --root \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}

wait_for_systemd() {
  local end=$((SECONDS + start_seconds)) state

  while [ $SECONDS -lt $end ] && kill -0 "$unshare_pid" 2>/dev/null; do
    pid=$(cat "/proc/$unshare_pid/task/$unshare_pid/children")
    pid=${pid%% *}
    if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm")" = systemd ]; then
      state=$(inside systemctl is-system-running --wait 2>/dev/null) || true
      case $state in
      running) return 0 ;;
      degraded) inside systemctl --failed && return 0 ;;
      esac
    fi
    sleep 0.1
  done
  echo "systemd is not up after $start_seconds s"
  return 1
}

# run ROOT SHARE WORK COMMAND...: in a mount namespace of its own.
run() {
  local root=$1 share=$2 work=$3
  shift 3

  mount -t cgroup2 cgroup2 "$work/cgroup"
  group=$work/cgroup/modeld-packages-$$
  mkdir "$group"
  trap leave EXIT
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec setpriv --pdeathsig KILL unshare --fork --kill-child --mount --uts --ipc --net --pid --cgroup \
      "$0" --boot "$root" "$share" "$work/files" 3>&2 2>/dev/null # unshare complains of being killed
  ) &
  unshare_pid=$!
  wait_for_systemd || return
  inside "$@"
}

case $1 in
--boot) boot "$2" "$3" "$4" ;;
--run)
  shift
  run "$@"
  ;;
*)
  root=$(realpath "$1")
  share=$(realpath "$2")
  shift 2
  work=$(mktemp -d)
  trap 'rmdir "$work/cgroup" "$work/files" "$work"' EXIT
  mkdir "$work/cgroup" "$work/files"
  unshare --mount "$0" --run "$root" "$share" "$work" "$@"
  ;;
esac
