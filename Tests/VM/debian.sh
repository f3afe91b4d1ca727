# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's package open-iscsi in scenarios: its units, scripts and settings as they are, with our executable for its programs.

# What host/image.sh has put there.
DEBIAN=/opt/debian
DEBIAN_PROGRAMS=(iscsiadm iscsid iscsistart iscsi-iname)

# debian_install: all that a machine with the package has, and the shell that its scripts are for.
debian_install() {
  local name
  cp -r $DEBIAN/{etc,lib,usr} /
  cp $DEBIAN/sbin/* /sbin/
  for name in ln pidof realpath; do ln -s $DEBIAN/bin/$name /usr/bin/; done
  # Scripts that do without /usr look for it there.
  ln -s $DEBIAN/bin/mountpoint /bin/
  ln -sf $DEBIAN/bin/dash /bin/sh
  for name in "${DEBIAN_PROGRAMS[@]}"; do ln -s ../usr/bin/iscsi-admin "/sbin/$name"; done
}

# debian_remove: nothing of it is left; safe to call without it.
debian_remove() {
  local path
  [[ $(readlink /bin/sh) == "$DEBIAN/bin/dash" ]] || return 0
  ln -sf busybox /bin/sh
  rm -f "${DEBIAN_PROGRAMS[@]/#//sbin/}" /usr/bin/{ln,pidof,realpath} /bin/mountpoint
  # Where the shell has found them counts no more.
  hash -r
  (cd $DEBIAN && find etc lib sbin usr -type f) | while read -r path; do rm -f "/$path"; done
  rm -rf /lib/open-iscsi /usr/share/{finalrd,initramfs-tools} /etc/default/open-iscsi /run/open-iscsi /open-iscsi.interface
}
