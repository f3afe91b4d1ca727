#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sourced by dracut when it mounts: with systemd nobody else mounts what root=iscsi:... stands for, be it that a DHCP server has named it.
# shellcheck disable=SC2154 # root, fstype, rflags and NEWROOT are dracut's
case "${root#block:}" in
  /dev/root | dhcp)
    if [ -b /dev/root ] && ! ismounted "$NEWROOT"; then
      mount -t "${fstype:-auto}" -o "${rflags:-ro}" /dev/root "$NEWROOT"
    fi
    ;;
esac
