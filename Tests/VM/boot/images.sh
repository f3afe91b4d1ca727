# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the diskless machine is made of: the root file system that the server exports, and the small initramfs.

# busybox_tree TREE: busybox under all of its names, our executable under some.
busybox_tree() {
  local tree=$1 name
  mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,run,tmp,root,var,etc/iscsi}
  cp "$VM_DIR/tools/bin/busybox" "$tree/bin/busybox"
  for name in $("$tree/bin/busybox" --list); do
    [[ $name == busybox ]] || ln -s busybox "$tree/bin/$name"
  done
  # The kernel asks for modules by that name.
  for name in init modprobe; do ln -s ../bin/busybox "$tree/sbin/$name"; done
  install -m 0755 "$ISCSI_ADMIN" "$tree/usr/sbin/iscsi-admin"
  for name in iscsiadm iscsistart; do ln -s iscsi-admin "$tree/usr/sbin/$name"; done
}

# unpack_modules TREE: the kernel's modules.
unpack_modules() {
  local layer
  layer=$(readlink -f "$(modules_layer "$KERNEL")")
  (cd "$1" && cpio --extract --make-directories --quiet <"$layer")
}

# make_root_image FILE: an ext4 file system with a small system of ours, and data whose sum is known.
make_root_image() {
  local tree=$RUN_DIRECTORY/root
  busybox_tree "$tree"
  unpack_modules "$tree"
  cp "$BOOT_SOURCE"/guest/root/etc/* "$BOOT_SOURCE/guest/agent" "$tree/etc/"
  echo root:x:0:0:root:/root:/bin/sh >"$tree/etc/passwd"
  echo root:x:0: >"$tree/etc/group"
  # systemd takes nothing else for a system that it could go over to.
  echo ID=diskless >"$tree/etc/os-release"
  head -c 4M /dev/urandom >"$tree/root/data"
  (cd "$tree" && sha256sum root/data >root/data.sum)
  truncate -s 80M "$1"
  with_unpacked /sbin/mke2fs -q -F -t ext4 -L root -E root_owner=0:0,lazy_itable_init=0 -d "$tree" "$1"
  rm -rf "$tree"
}

# with_unpacked PROGRAM ARGUMENT...: a program of the machine's tools, on the host.
with_unpacked() {
  local program=$1 tools=$VM_DIR/tools
  shift
  "$tools/lib64/ld-linux-x86-64.so.2" --library-path "$tools/lib/x86_64-linux-gnu:$tools/usr/lib/x86_64-linux-gnu" "$tools$program" "$@"
}

# make_diskless_initramfs FILE: what all scenarios have in common that do not test an image of somebody else.
make_diskless_initramfs() {
  local tree=$RUN_DIRECTORY/initramfs-tree
  busybox_tree "$tree"
  cp "$BOOT_SOURCE/guest/init" "$tree/init"
  # There nobody writes, and what is not there is not needed.
  pack "$tree" "$1.top"
  cat "$(modules_layer "$KERNEL")" "$1.top" >"$1"
  rm -rf "$tree" "$1.top"
}

# make_served FILE: what the server gives out to firmware that starts from the network.
make_served() {
  local tree=$RUN_DIRECTORY/served
  mkdir -p "$tree"
  cp "$VM_DIR/kernel-$KERNEL"/boot/vmlinuz-* "$tree/vmlinuz"
  gzip -1 <"$RUN_DIRECTORY/initramfs" >"$tree/initramfs"
  # What is put behind it must begin where the kernel looks for it.
  truncate -s %4 "$tree/initramfs"
  tar -c -C "$tree" --record-size=64K -f "$1" .
  rm -rf "$tree"
}

# prepare_firmware: iPXE for the cards, and the firmware for UEFI.
prepare_firmware() { unpack_packages "$VM_DIR/firmware" ipxe-qemu ovmf; }

# add_file INITRAMFS SOURCE NAME: one more file in it.
add_file() {
  local tree=$RUN_DIRECTORY/added
  install -D -m 0755 "$2" "$tree/$3"
  pack "$tree" "$tree.cpio"
  cat "$tree.cpio" >>"$1"
  rm -rf "$tree" "$tree.cpio"
}
