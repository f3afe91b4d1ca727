# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Downloads the Debian packages the machine is made of and unpacks them under $VM_DIR. Nothing is installed.

# What runs in the machine besides our own executable. The libraries they need are found through apt.
GUEST_PACKAGES=(bash busybox-static dmsetup e2fsprogs iproute2 jq kmod open-iscsi open-isns-server open-isns-utils systemd tgt)
# What the scripts of Debian's open-iscsi call; nothing that they depend on is needed besides.
SCRIPT_PACKAGES=(coreutils dash initramfs-tools-core libc-bin sysvinit-utils util-linux)

# download_packages NAME...: fetches each package into $VM_DIR/debs.
download_packages() {
  mkdir -p "$VM_DIR/debs"
  local log=$VM_DIR/download.log
  (cd "$VM_DIR/debs" && apt-get download -q "$@") >"$log" 2>&1 && return
  # The usual reason is a package list older than the archive.
  apt-get update -qq >>"$log" 2>&1 || true
  (cd "$VM_DIR/debs" && apt-get download -q "$@") >>"$log" 2>&1 && return
  tail -5 "$log" >&2
  die "cannot download: $*"
}

# package_files NAME: the downloaded file of a package.
package_file() {
  local files=("$VM_DIR"/debs/"$1"_*.deb)
  [[ -e ${files[0]} ]] || die "package $1 was not downloaded"
  printf '%s\n' "${files[@]}" | sort -V | tail -1
}

# kernel_package 6.1|6.12: the newest cloud kernel of that series that apt offers.
kernel_package() {
  local series=$1 name=''
  name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null \
    | sed -n "s/^ *Depends: \(linux-image-${series//./\\.}\.[0-9].*\)$/\1/p" | sort -V | tail -1)
  if [[ -z $name ]]; then
    name=$(apt-cache search --names-only "^linux-image-${series//./\\.}\.[0-9].*-cloud-amd64-unsigned$" \
      | cut -d' ' -f1 | sort -V | tail -1)
  fi
  printf '%s' "$name"
}

# prepare_kernel SERIES: unpacks the kernel under $VM_DIR/kernel-SERIES, once.
prepare_kernel() {
  local series=$1 directory=$VM_DIR/kernel-$1 name
  [[ -e $directory/package ]] && return
  name=$(kernel_package "$series")
  if [[ -z $name ]]; then
    apt-get update -qq >/dev/null 2>&1 || true
    name=$(kernel_package "$series")
  fi
  [[ -n $name ]] || die "apt offers no cloud kernel $series"
  note "downloading $name"
  download_packages "$name"
  rm -rf "$directory"
  mkdir -p "$directory"
  dpkg -x "$(package_file "$name")" "$directory"
  basename "$(package_file "$name")" >"$directory/package"
}

# unpack_packages DIRECTORY NAME...: unpacks packages and the libraries that they need there, once; DIRECTORY/packages has what they are.
unpack_packages() {
  local directory=$1 libraries=() name
  shift
  [[ -e $directory/packages && $(head -1 "$directory/packages") == "$*" ]] && return
  mapfile -t libraries < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "$@" | grep -E '^lib' | grep -vE 'perl|-bin$|-common$' | sort -u)
  note "downloading $* and ${#libraries[@]} libraries"
  download_packages "$@" "${libraries[@]}"
  rm -rf "$directory"
  mkdir -p "$directory"
  echo "$*" >"$directory.packages"
  for name in "$@" "${libraries[@]}"; do
    dpkg -x "$(package_file "$name")" "$directory"
    basename "$(package_file "$name")" >>"$directory.packages"
  done
  mv "$directory.packages" "$directory/packages"
}

# prepare_tools: the guest's programs under $VM_DIR/tools.
prepare_tools() {
  unpack_packages "$VM_DIR/tools" "${GUEST_PACKAGES[@]}" "${SCRIPT_PACKAGES[@]}"
}

# with_tools NAME ARG...: runs an unpacked program on the host with the libraries it was unpacked with.
with_tools() {
  local name=$1 tools=$VM_DIR/tools
  shift
  "$tools/lib64/ld-linux-x86-64.so.2" --library-path "$tools/lib/x86_64-linux-gnu:$tools/usr/lib/x86_64-linux-gnu" \
    --argv0 "$name" "$tools/bin/kmod" "$@"
}
