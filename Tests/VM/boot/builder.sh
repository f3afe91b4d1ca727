# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Real images: Debian's initramfs-tools and dracut, unpacked and not installed, in a root of their own with our hooks; and mkinitcpio, whose
# sources Debian has not, if MKINITCPIO says where they are. A namespace of users makes us root there and nowhere else.

BUILDER_PACKAGES=(
  initramfs-tools-core klibc-utils dracut-core busybox udev kmod login systemd systemd-sysv
  bash coreutils cpio dash debianutils dpkg e2fsprogs findutils gawk grep gzip iproute2 libarchive-tools libc-bin mount sed tar util-linux zlib1g zstd
)

# What dracut's own module iscsi takes besides, which no other image is to have.
NETWORK_PACKAGES=(dracut-network iputils-arping isc-dhcp-client procps)

prepare_builder() {
  unpack_packages "$VM_DIR/builder" "${BUILDER_PACKAGES[@]}"
  unpack_packages "$VM_DIR/builder-network" "${NETWORK_PACKAGES[@]}"
}

# merge_usr TREE: as in every system of today.
merge_usr() {
  local tree=$1 name
  for name in bin sbin lib lib64; do
    mkdir -p "$tree/usr/$name"
    cp -a "$tree/$name/." "$tree/usr/$name/"
    rm -rf "${tree:?}/$name"
    ln -s "usr/$name" "$tree/$name"
  done
}

# builder_tree TREE: a root with these packages, the kernel's modules, our executable, and BOOT_FILE as the file of the boot if it is set.
builder_tree() {
  local tree=$1
  cp -a --reflink=auto "$VM_DIR/builder" "$tree"
  cp -a --reflink=auto "$VM_DIR/kernel-$KERNEL"/{boot,lib} "$tree/"
  merge_usr "$tree"
  mkdir -p "$tree"/{proc,sys,dev,run,tmp,var/tmp,etc/iscsi,usr/sbin}
  printf "root:x:0:0:root:/root:/bin/bash\n" >"$tree/etc/passwd"
  printf "root:x:0:\n" >"$tree/etc/group"
  ln -sf gawk "$tree/usr/bin/awk"
  install -m 0755 "$ISCSI_ADMIN" "$tree/usr/sbin/iscsi-admin"
  echo InitiatorName=iqn.2026-11.org.example:boot >"$tree/etc/iscsi/initiatorname.iscsi"
  [[ -z ${BOOT_FILE:-} ]] || echo "$BOOT_FILE" >"$tree/etc/iscsi/iscsi.initramfs"
}

# in_builder TREE COMMAND: a command line in that root.
# shellcheck disable=SC2016 # the shell there expands them
in_builder() {
  unshare --user --map-root-user --mount --pid --fork /bin/sh -c '
    mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$1" /bin/bash -c "PATH=/usr/sbin:/usr/bin:/sbin:/bin; $2"
  ' sh "$1" "$2"
}

# build_image KIND IMAGE: KIND is initramfs-tools, dracut or mkinitcpio. With -systemd mkinitcpio's has systemd, with -plain dracut's has none,
# and with -dep initramfs-tools' has the modules of the diskless machine alone. With -own there is a hook for open-iscsi's programs in the
# place of ours: dracut's own module, or for mkinitcpio what people write.
build_image() {
  local tree=$RUN_DIRECTORY/builder kind=$1 release
  for release in systemd plain own dep; do kind=${kind%-"$release"}; done
  rm -rf "$tree"
  builder_tree "$tree"
  release=$(basename "$tree"/lib/modules/*)
  [[ $kind != mkinitcpio ]] || install_mkinitcpio "$tree" "$([[ $1 == *-systemd ]] && echo systemd || echo udev)"
  [[ $1 != *-dep ]] || for_this_machine "$tree"
  case $1 in
    dracut-own) under_other_names "$tree" ;;
    mkinitcpio-own) with_own_hook "$tree" ;;
    *) "$ROOT/Scripts/install-initramfs" "$kind" "$tree" /usr /usr/sbin ;;
  esac
  in_builder "$tree" "depmod $release; $("build_with_$kind" "$release" "$1")"
  check_image "$tree" "$release" "$1"
  # What is in it, of those that tell.
  [[ ! -e $tree/image-files ]] || mv "$tree/image-files" "$OUT/"
  mv "$tree/image" "$2"
  rm -rf "$tree"
}
# check_image TREE RELEASE KIND: who asks us before booting from it is told that it can be booted from. The hooks of others, and dracut's images for
# several machines, leave it to the parameters or the firmware as whom.
check_image() {
  local parameters='ip=eth0:dhcp netroot=iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk'
  [[ $3 != *-own && $3 != dracut* ]] || parameters+=' rd.iscsi.initiator=iqn.2026-11.org.example:boot'
  "$ISCSI_ADMIN" boot check --root "$1" --kernel "$2" --image "$1/image" --command-line "$parameters"
}
# under_other_names TREE: our executable and units under the names of open-iscsi's, and what dracut's own module takes.
under_other_names() {
  (cd "$VM_DIR/builder-network" && tar -c .) | tar -x --keep-directory-symlink -C "$1"
  "$ROOT/Scripts/install-units" "$1/usr/lib/systemd/system" /usr/sbin
  "$ROOT/Scripts/install-compat" "$1/usr/sbin" "$1/usr/lib/systemd/system" '' iscsiadm iscsid iscsistart iscsi-iname
  : >"$1/etc/iscsi/iscsid.conf"
}
# with_own_hook TREE: a hook as one writes it for open-iscsi's iscsistart and a boot ROM, with our executable by that name.
with_own_hook() {
  sed -i 's/iscsi-admin/iscsi/' "$1/etc/mkinitcpio.conf"
  ln -s ../sbin/iscsi-admin "$1/usr/bin/iscsistart"
  cat >"$1/usr/lib/initcpio/install/iscsi" <<'HOOK'
build() {
  local name
  for name in iscsi_tcp iscsi_ibft; do add_module "$name"; done
  add_checked_modules '/drivers/net/'
  add_binary iscsistart
  add_runscript
}
HOOK
  cat >"$1/usr/lib/initcpio/hooks/iscsi" <<'HOOK'
run_hook() {
  modprobe -a iscsi_tcp iscsi_ibft
  iscsistart -N && iscsistart -b
}
HOOK
}
# for_this_machine TREE: MODULES=dep, and the sysfs of a machine with one card, of which the running kernel has no driver, behind a bridge that
# needs one. As the kernel has a driver of no transceiver, another one's stands for it. The disk of the root file system, which is not to be
# found in a root of a namespace, takes nothing but ext4.
for_this_machine() {
  local bridge=$1/sys/devices/LNXSYSTM:00/VMBUS:00/pci card
  card=$bridge/pci0000:00/0000:00:02.0/virtio0
  mkdir -p "$card/net/eth0" "$card/mdio_bus/card/card:00" "$1"/sys/{class/net,devices/virtual/net/lo}
  echo vmbus:1df6c444444400449d52802e27ede19f >"$bridge/modalias"
  echo virtio:d00000001v00001AF4 >"$card/modalias"
  echo vmbus:9eb6a8cf4a5bc04cb98b8ba1a1f3f95a >"$card/mdio_bus/card/card:00/modalias"
  echo 2 >"$card/net/eth0/ifindex"
  echo 1 >"$card/net/eth0/type"
  ln -s ../.. "$card/net/eth0/device"
  ln -s ../../mdio_bus/card/card:00 "$card/net/eth0/phydev"
  ln -s "../..${card#"$1/sys"}/net/eth0" "$1/sys/class/net/eth0"
  ln -s ../../devices/virtual/net/lo "$1/sys/class/net/lo"
  sed -i 's/^MODULES=.*/MODULES=dep/' "$1/etc/initramfs-tools/initramfs.conf"
  sed -i 's|^\tdep_add_modules_mount /$|\tmanual_add_modules ext4|; /^\tdep_add_modules_mount /d' "$1/usr/share/initramfs-tools/hook-functions"
}

# What takes long to pack takes long to unpack in an emulated machine.
build_with_initramfs-tools() { echo "mkinitramfs -c zstd -l 1 -o /image $1 && lsinitramfs /image >/image-files"; }
build_with_dracut() {
  local modules='--add iscsi-admin'
  case $2 in
    # In the place of what our own file leaves out.
    *-plain) modules+=" --omit 'iscsi systemd systemd-initrd dracut-systemd'" ;;
    *-own) modules="--add 'iscsi network network-legacy' --omit systemd-networkd" ;;
  esac
  echo "dracut --quiet --force --no-hostonly $modules --zstd --kver $1 /image && lsinitrd /image >/image-files"
}
build_with_mkinitcpio() { echo "mkinitcpio -k $1 -g /image -z cat"; }

# install_mkinitcpio TREE udev|systemd: from its sources, with their places filled in.
install_mkinitcpio() {
  local library=$1/usr/lib/initcpio name
  mkdir -p "$library"
  cp -r "$MKINITCPIO"/{functions,init,init_functions,install,hooks} "$library/"
  cp "$MKINITCPIO/mkinitcpio" "$1/usr/bin/"
  find "$library" "$1/usr/bin/mkinitcpio" -type f -exec sed -i 's|@UDEVD_PATH@|/usr/lib/systemd/systemd-udevd|; s|@TMPFILES_PATH@||
    s|@INITCPIO_LIBDIR@|/usr/lib/initcpio|; s|@SYSCONFDIR@|/etc|; s|@BINDIR@|/usr/sbin:/usr/bin|; s|@VCONSOLE_CONF@|/etc/vconsole.conf|' {} +
  cp "$VM_DIR/tools/bin/busybox" "$library/busybox"
  echo "HOOKS=(base $2 iscsi-admin block filesystems)" >"$1/etc/mkinitcpio.conf"
  mkdir -p "$1/etc/mkinitcpio.d" "$1/etc/udev"
  # What its hooks take for granted on the systems that they are made for.
  ln -s x86_64-linux-gnu/libkmod.so.2 "$1/usr/lib/"
  for name in sulogin swapon swapoff; do ln -s ../sbin/$name "$1/usr/bin/$name"; done
  # What Debian's systemd is too old for, or does not need.
  for name in systemd-executor systemd-validatefs; do ln -s ../../bin/true "$1/usr/lib/systemd/$name"; done
  touch "$1/usr/lib/udev/hwdb.bin" "$1/etc/udev/hwdb.bin" "$1/usr/lib/tmpfiles.d/20-systemd-stub.conf"
}
