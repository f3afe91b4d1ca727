# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A root file system with Debian's systemd and all three managers of the network, unpacked and not installed. Which of them runs, and by what
# files, a scenario writes into its copy.

SYSTEM_PACKAGES=(
  systemd systemd-sysv udev dbus dbus-bin dbus-daemon dbus-system-bus-common ifupdown isc-dhcp-client network-manager
  bash coreutils dash debianutils e2fsprogs findutils grep hostname iproute2 kmod libc-bin mount procps sed util-linux zlib1g
)
# What none of them needs, of what they bring.
SYSTEM_LEAVES_OUT=(
  usr/share/{doc,man,locale,info,lintian,bug,i18n,bash-completion,zsh,gettext,perl5,common-licenses,mime,applications,metainfo,polkit-1} usr/include
  usr/lib/{locale,udev/hwdb.d,systemd/{boot,catalog}} usr/share/systemd usr/lib/x86_64-linux-gnu/{gconv,perl-base,security}
  etc/init.d usr/lib/systemd/system-generators/systemd-{getty,gpt-auto}-generator
)

prepare_system() { unpack_packages "$VM_DIR/system" "${SYSTEM_PACKAGES[@]}"; }

# make_system_image FILE: as make_root_image, with that system.
make_system_image() {
  local tree=$RUN_DIRECTORY/system name size
  cp -a --reflink=auto "$VM_DIR/system" "$tree"
  unpack_modules "$tree"
  merge_usr "$tree"
  for name in "${SYSTEM_LEAVES_OUT[@]}"; do rm -rf "${tree:?}/$name"; done
  mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,var/{lib,log,tmp},etc/iscsi}
  ln -s ../run "$tree/var/run"
  cp -r "$BOOT_SOURCE/guest/system/." "$tree/"
  install "$VM_DIR/tools/bin/busybox" "$BOOT_SOURCE/guest/agent" "$tree/usr/lib/vm/"
  install -m 0755 "$ISCSI_ADMIN" "$tree/usr/sbin/iscsi-admin"
  "$ROOT/Scripts/install-units" "$tree/usr/lib/systemd/system" /usr/sbin
  echo InitiatorName=iqn.2026-11.org.example:boot >"$tree/etc/iscsi/initiatorname.iscsi"
  printf 'root:x:0:0:root:/root:/bin/bash\nmessagebus:x:100:100::/:/bin/false\n' >"$tree/etc/passwd"
  printf 'root:x:0:\nmessagebus:x:100:\nnetdev:x:101:\n' >"$tree/etc/group"
  echo 'LABEL=root / ext4 defaults 0 1' >"$tree/etc/fstab"
  echo diskless >"$tree/etc/hostname"
  printf 'ID=debian\nPRETTY_NAME=Debian\n' >"$tree/etc/os-release"
  # A machine without a number is on its first boot, which enables every unit there is.
  echo 00000000000000000000000000000001 >"$tree/etc/machine-id"
  head -c 4M /dev/urandom >"$tree/root/data"
  (cd "$tree" && sha256sum root/data >root/data.sum)
  # What the packages do when they are installed.
  in_builder "$tree" 'ldconfig; systemd-sysusers 2>/dev/null; systemctl --quiet enable iscsi-admin.service vm-{agent,monitor}.service'
  size=$(du -sm "$tree" | cut -f 1)
  truncate -s $((size + size / 8 + 32))M "$1"
  # For a user who is not root, too, all of it is root's.
  unshare --user --map-root-user bash -c "$(declare -f with_unpacked); VM_DIR=$(printf %q "$VM_DIR")
    with_unpacked /sbin/mke2fs -q -F -t ext4 -L root -E root_owner=0:0,lazy_itable_init=0 -d $(printf '%q %q' "$tree" "$1")"
  rm -rf "$tree"
}
