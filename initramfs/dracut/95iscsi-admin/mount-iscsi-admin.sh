#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sourced by dracut when it mounts: with systemd nobody else mounts what root=iscsi:... stands for, be it that a DHCP server has named it.
# Without systemd dracut's own hook does, which looks at the file system before, and at the options in its fstab.
# shellcheck disable=SC2154 # root, fstype, rflags and NEWROOT are dracut's
case "${DRACUT_SYSTEMD:+systemd }${root#block:}" in
  'systemd /dev/root' | 'systemd dhcp' | dhcp)
    if ! ismounted "$NEWROOT" && [ -b /dev/root ]; then
      mount -t "${fstype:-auto}" -o "${rflags:-ro}" /dev/root "$NEWROOT"
    fi
    ;;
esac
