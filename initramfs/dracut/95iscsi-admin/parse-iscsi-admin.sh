#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Sourced by dracut when it looks at the parameters: root=iscsi:... names a target and a unit, and no device. dracut's module network sources
# it once more, with the answer of a DHCP server in netroot.
# shellcheck disable=SC2034,SC2154 # root, netroot and rootok are dracut's

# root_is_on_iscsi: whether it is for us to say which device root= means.
root_is_on_iscsi() {
  local place
  case "$root" in
    iscsi:* | iscsi) return 0 ;;
    dhcp | '') ;;
    *) return 1 ;;
  esac
  for place in "$netroot" $(getargs netroot=) "$root"; do
    case "$place" in
      iscsi:* | iscsi) return 0 ;;
      dhcp)
        # The server may name something else, for which another module of dracut is in charge. If it is a target all the same, what mounts
        # by dhcp finds its disk.
        command -v nfsroot || command -v nbdroot || command -v cifsroot || return 0
        return 1
        ;;
    esac
  done >/dev/null
  ! getargbool 0 rd.iscsi.firmware || return 0
  # The file of the image, other parameters, or the firmware. Of what cannot be done the login is to tell the reason.
  iscsi-admin boot show --quiet >/dev/null 2>&1
  [ $? -ne 21 ]
}

[ -n "$root" ] || root=$(getarg root=)
if root_is_on_iscsi; then
  # The login gives that name to the disk.
  root=block:/dev/root
  rootok=1
  wait_for_dev -n /dev/root
fi
