#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# packages.sh BUILD: build the Debian packages with `make deb` in that build folder, and again from the
# tarball that it is made of; look at them with lintian; and live with them on a machine that is made for
# that (life.sh), which takes root. Its files come from Debian and stay in build/machine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
work=$top/build/deb
life_limit=10m

say() {
  echo "== $*"
}

# ok WHAT: for those who count.
ok() {
  echo "counted 1 0"
  say "$*: ok"
}

use_ccache() {
  if [ -d /usr/lib/ccache ]; then
    export PATH=/usr/lib/ccache:$PATH
    # debhelper has builds find an empty home. Their folders differ, and show in nothing they make.
    CCACHE_DIR=$(ccache -k cache_dir)
    export CCACHE_DIR CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1
  fi
}

version_of() {
  dpkg-parsechangelog -l "$top/debian/changelog" -S Version
}

build_packages() {
  DEB_BUILD_OPTIONS=terse make -C "$build" deb
  packages=$build/deb
}

build_again() {
  local source=$work/again/modeld-$version

  rm -rf "$work/again"
  mkdir -p "$work/again"
  tar -C "$work/again" -xf "$build/modeld-$version.tar.xz"
  mkdir "$source/elsewhere"
  (cd "$source/elsewhere" && ../configure --quiet)
  DEB_BUILD_OPTIONS='nocheck terse' make -C "$source/elsewhere" deb
  (cd "$source/elsewhere/deb" && sha256sum -- *.deb) >"$work/again.sums"
  (cd "$packages" && sha256sum -- *.deb) | diff - "$work/again.sums"
  rm -rf "$work/again"
}

look_at_packages() {
  lintian --allow-root --fail-on error,warning --display-info --pedantic "$packages"/*.changes
}

# The packages that those here need, by name.
dependencies() {
  local package

  for package in modeld modelctl; do
    dpkg-deb -f "$packages/${package}_${version}"_*.deb Depends
  done | tr ',' '\n' | sed 's/^ *\([a-z0-9.+-]*\).*/\1/' | LC_ALL=C sort -u | paste -s -d ,
}

# Where apt gets this Debian from, as lines of a sources.list; none when it never asked.
debian_sources() {
  # shellcheck disable=SC2016
  apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | LC_ALL=C sort -u | grep " $1" || true
}

# The files of a small Debian with what the packages need, kept for the next time.
make_machine() {
  local codename wanted sources=()

  machine=$top/build/machine
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  wanted=systemd,curl,$(dependencies)
  [ "$(cat "$machine.made" 2>/dev/null)" != "$codename $wanted" ] || return 0
  rm -rf "$machine" "$machine.made"
  debian_sources "$codename" >"$work/sources.list"
  [ ! -s "$work/sources.list" ] || sources=("$work/sources.list")
  mmdebstrap --variant=minbase --dpkgopt=force-unsafe-io --include="$wanted" "$codename" "$machine" "${sources[@]}"
  echo "$codename $wanted" >"$machine.made"
}

# The same again under a higher version, whose configuration file is as it was.
make_next() {
  local package files

  for package in modeld modelctl; do
    files=$work/next-$package
    rm -rf "$files"
    dpkg-deb -R "$packages/${package}_${version}"_*.deb "$files"
    sed -i "s/^Version: .*/Version: $next/" "$files/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$files" "$work/share/next/$package.deb"
    rm -rf "$files"
  done
}

live_with_packages() {
  rm -rf "$work/share"
  mkdir -p "$work/share/next"
  cp "$packages/modeld_$version"_*.deb "$packages/modelctl_$version"_*.deb \
    "$top/debian/tests/smoke" "$here/life.sh" "$work/share"
  make_next
  timeout -k 10 $life_limit "$here/machine.sh" "$machine" "$work/share" /share/life.sh "$next"
}

mkdir -p "$work"
version=$(version_of)
next=$version+next
use_ccache
build_packages
ok "make deb"
look_at_packages
ok "lintian"
build_again
ok "the same bytes from the tarball, elsewhere"
if [ "$(id -u)" = 0 ]; then
  make_machine
  live_with_packages
  ok "from installation to purge"
else
  say "only root can start a machine: not installed anywhere"
fi
