# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The initramfs: cpio archives one after the other. Tools and modules are cached, the top layer is made for each run.

# Modules the machine can load, with whatever they depend on. Names a kernel has built in or lacks are skipped.
GUEST_MODULES=(
  virtio_pci virtio_console virtio_rng virtio_net virtio_blk
  scsi_mod sd_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp iscsi_boot_sysfs iscsi_ibft
  crc32c_generic crc32c-intel crc32c md5 sha1_generic sha256_generic sha3_generic
  target_core_mod target_core_file target_core_iblock iscsi_target_mod configfs
  dummy veth 8021q bridge loop scsi_debug sch_netem inet_diag tcp_diag dm_mod dm_multipath dm_round_robin ext4
)

# pack TREE ARCHIVE: a cpio archive, stored as it is (unpacking costs more boot time than loading).
pack() {
  (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --owner=0:0 --quiet) >"$2.tmp"
  mv "$2.tmp" "$2"
}

# cache_key FILE...: what a cached layer depends on.
cache_key() {
  cat "$VM_SOURCE/host/image.sh" "$@" | sha256sum | cut -c1-16
}

# copy_program TREE DESTINATION SOURCE...: programs, and what programs load, from below UNPACKED, with their shared libraries.
copy_program() {
  local tree=$1 destination=$2 source
  shift 2
  mkdir -p "$tree$destination"
  for source in "$@"; do cp "$UNPACKED$source" "$tree$destination/"; done
  copy_libraries "$tree" "${@/#/$UNPACKED}"
}

# copy_libraries TREE FILE...: the shared libraries of these files.
copy_libraries() {
  local tree=$1 file library libraries=$UNPACKED/usr/lib/x86_64-linux-gnu
  shift
  mkdir -p "$tree/lib/x86_64-linux-gnu" "$tree/lib64"
  for file in "$@"; do
    "$UNPACKED/lib64/ld-linux-x86-64.so.2" --library-path "$UNPACKED/lib/x86_64-linux-gnu:$libraries:$libraries/systemd" --list "$file"
  done | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u | while read -r library; do
    cp --dereference --no-clobber "$library" "$tree/lib/x86_64-linux-gnu/"
  done
  cp --dereference --no-clobber "$UNPACKED/lib64/ld-linux-x86-64.so.2" "$tree/lib64/"
}

# compile SOURCE PROGRAM: a tool of our own, static, because the machine has not all of the host's libraries.
compile() {
  "${CC:-cc}" -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -s -o "$2" "$1" || die "cannot compile $1"
}

# copy_systemd TREE: its programs, the targets, and of the services the journal and the end alone; nothing that a boot would start besides.
copy_systemd() {
  local units=lib/systemd/system
  copy_program "$1" /lib/systemd /lib/systemd/systemd /lib/systemd/systemd-{journald,shutdown}
  copy_program "$1" /bin /bin/systemctl /bin/journalctl
  mkdir -p "$1/$units/sockets.target.wants" "$1/etc/systemd"
  cp -P "$VM_DIR/tools/$units"/{*.target,systemd-journald.{service,socket},systemd-poweroff.service} "$1/$units/"
  ln -s ../systemd-journald.socket "$1/$units/sockets.target.wants/"
  # The host gets the kernel's log without it.
  printf '[Journal]\nReadKMsg=no\n' >"$1/etc/systemd/journald.conf"
  # A machine without a number is on its first boot, which enables every unit there is.
  echo 00000000000000000000000000000001 >"$1/etc/machine-id"
}

# What Debian ships around open-iscsi's programs, and the parts of initramfs-tools and libc that it leans on.
DEBIAN_FILES=(
  etc/default/open-iscsi etc/iscsi/iscsid.conf lib/open-iscsi lib/systemd/system/{iscsid.service,iscsid.socket,open-iscsi.service}
  sbin/iscsi_discovery usr/bin/ldd usr/share/finalrd/open-iscsi.finalrd
  usr/share/initramfs-tools/{hook-functions,hooks/iscsi,scripts/functions,scripts/local-top/iscsi,scripts/local-bottom/iscsi}
)

# copy_debian TREE: these files as they are in the packages, below /opt/debian, and those programs that busybox lacks or has with fewer
# options.
copy_debian() {
  local path
  for path in "${DEBIAN_FILES[@]}"; do
    mkdir -p "$1/opt/debian/$(dirname "$path")"
    cp -rP "$VM_DIR/tools/$path" "$1/opt/debian/$path"
  done
  copy_program "$1" /opt/debian/bin /bin/dash /bin/ln /bin/mountpoint /usr/bin/realpath
  copy_program "$1" /opt/debian/sbin /sbin/fstab-decode /sbin/killall5
  ln -s ../sbin/killall5 "$1/opt/debian/bin/pidof"
}

# tools_layer: prints the path of the archive with the programs.
tools_layer() {
  local key archive tree=$VM_DIR/tree name UNPACKED=$VM_DIR/tools
  key=$(cache_key "$VM_DIR/tools/packages" "$VM_SOURCE"/guest/*.c)
  archive=$VM_DIR/layers/tools-$key.cpio
  if [[ ! -e $archive ]]; then
    note 'building the layer of tools'
    rm -rf "$tree" "$VM_DIR"/layers/tools-*
    mkdir -p "$tree"/{bin,sbin,dev,proc,sys,etc/iscsi,run,tmp,var/tmp,root,out,usr/bin,usr/sbin,vm} "$VM_DIR/layers"
    ln -s ../run "$tree/var/run"
    cp "$VM_DIR/tools/bin/busybox" "$tree/bin/busybox"
    for name in $("$tree/bin/busybox" --list); do
      [[ $name == busybox ]] || ln -s busybox "$tree/bin/$name"
    done
    rm -f "$tree"/bin/{ip,modprobe,rmmod,lsmod,insmod,depmod,modinfo}
    copy_program "$tree" /bin /bin/bash /bin/ip /bin/kmod /bin/ss /usr/bin/jq
    copy_program "$tree" /sbin /sbin/tc /sbin/mke2fs /sbin/e2fsck /sbin/dumpe2fs /sbin/dmsetup
    for name in modprobe rmmod lsmod insmod depmod modinfo; do ln -s ../bin/kmod "$tree/sbin/$name"; done
    copy_program "$tree" /usr/sbin /usr/sbin/tgtd /usr/sbin/tgtadm /usr/sbin/isnsd /usr/sbin/isnsadm
    # Loaded by pthread_cancel when tgtd closes a disk.
    cp "$(find "$VM_DIR/tools" -name libgcc_s.so.1 | head -1)" "$tree/lib/x86_64-linux-gnu/"
    # The reference stays off the PATH so that our own command cannot lean on it by accident.
    copy_program "$tree" /opt/open-iscsi /sbin/iscsid /sbin/iscsiadm /sbin/iscsistart /sbin/iscsi-iname
    cp "$VM_DIR/tools/etc/iscsi/iscsid.conf" "$tree/opt/open-iscsi/"
    copy_systemd "$tree"
    copy_debian "$tree"
    for name in io-check on-terminal pdu-proxy stopwatch take-name; do compile "$VM_SOURCE/guest/$name.c" "$tree/usr/bin/$name"; done
    pack "$tree" "$archive"
    rm -rf "$tree"
  fi
  printf '%s' "$archive"
}

# remove_signature MODULE: checking it is four fifths of what an emulated kernel does to load a module, and most scenarios load four. It ends with
# its length in four octets and this mark (the kernel's struct module_signature).
remove_signature() {
  local mark='~Module signature appended~' length
  [[ $(tail -c 28 "$1") == "$mark" ]] || return 0
  length=$(tail -c 32 "$1" | od -An -tu4 --endian=big -N 4)
  truncate -s "-$((28 + 12 + length))" "$1"
}

# modules_layer SERIES: prints the path of the archive with that kernel's modules.
modules_layer() {
  local kernel=$VM_DIR/kernel-$1 tree=$VM_DIR/tree release key archive module file
  key=$(cache_key "$kernel/package")
  archive=$VM_DIR/layers/modules-$1-$key.cpio
  if [[ ! -e $archive ]]; then
    note "building the layer of modules for $1"
    release=$(basename "$kernel"/lib/modules/*)
    rm -rf "$tree" "$VM_DIR/layers/modules-$1"-*
    mkdir -p "$tree/lib/modules/$release" "$VM_DIR/layers"
    with_tools depmod -b "$kernel" "$release"
    for module in "${GUEST_MODULES[@]}"; do
      with_tools modprobe -d "$kernel" -S "$release" --show-depends "$module" 2>/dev/null || true
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
      mkdir -p "$tree$(dirname "${file#"$kernel"}")"
      cp "$file" "$tree${file#"$kernel"}"
    done
    find "$tree" -name '*.ko.xz' -exec xz --decompress {} +
    find "$tree" -name '*.ko' | while read -r file; do remove_signature "$file"; done
    cp "$kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$tree/lib/modules/$release/"
    with_tools depmod -b "$tree" "$release"
    pack "$tree" "$archive"
    rm -rf "$tree"
  fi
  printf '%s' "$archive"
}

# top_layer DIRECTORY PLAN: packs what changes from run to run; writes DIRECTORY/top.cpio.
top_layer() {
  local tree=$1/top
  mkdir -p "$tree/vm" "$tree/usr/bin"
  cp -r "$VM_SOURCE"/{guest,boot,scenarios,differential,{lib,network,targets,faults,daemon,clients,measure,systemd,debian}.sh} "$tree/vm/"
  cp "$ROOT/docs/compatibility.md" "$tree/vm/differential/"
  cp "$ROOT/README.md" "$tree/vm/"
  cp "$VM_SOURCE/guest/init" "$tree/init"
  cp "$2" "$tree/vm/plan"
  printf 'export %q\n' "PATIENCE=$PATIENCE" "${SETTINGS[@]}" >"$tree/vm/settings"
  if [[ -e $ISCSI_ADMIN ]]; then
    cp --dereference "$ISCSI_ADMIN" "$tree/usr/bin/iscsi-admin"
    chmod 755 "$tree/usr/bin/iscsi-admin"
  fi
  if [[ -e $EXAMPLE ]]; then
    cp "$EXAMPLE" "$tree/usr/bin/outage-example"
  fi
  "$ROOT/Scripts/install-units" "$tree/etc/systemd/system" /usr/bin
  pack "$tree" "$1/top.cpio"
  rm -rf "$tree"
}

# make_initramfs SERIES DIRECTORY PLAN [EXTRA]: writes DIRECTORY/initramfs, with the layer of an extra if one is named.
make_initramfs() {
  local layers
  layers=("$(tools_layer)" "$(modules_layer "$1")")
  [[ -z ${4:-} ]] || layers+=("$(extra_layer "$4")")
  top_layer "$2" "$3"
  cat "${layers[@]}" "$2/top.cpio" >"$2/initramfs"
  rm -f "$2/top.cpio"
}
