#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A module of dracut: logs in by iscsi-admin to what parameters or the firmware name. It takes the place of dracut's own module iscsi.

# stands_on_iscsi MAJOR:MINOR: whether that device is a disk of a session, or a partition of one.
stands_on_iscsi() {
  # shellcheck disable=SC2154 # set by dracut
  local device=$dracutsysrootdir/sys/dev/block/$1
  [[ -L $device && $(readlink -f "$device") == */session[0-9]*/target*/block/* ]]
}

# Called by dracut: 255 is "only if somebody asks for it".
check() {
  require_binaries iscsi-admin || return 1
  require_kernel_modules iscsi_tcp || return 1
  # shellcheck disable=SC2154 # set by dracut
  if [[ $hostonly || $mount_needs ]]; then
    for_each_host_dev_and_slaves stands_on_iscsi || return 255
  fi
}

depends() {
  local folder
  echo rootfs-block
  # Our hook runs in that loop, which is a module of its own in newer versions, and in no image then unless somebody asks for it.
  # shellcheck disable=SC2154 # set by dracut
  for folder in "$dracutbasedir"/modules.d/??initqueue; do
    [[ ! -d $folder ]] || echo initqueue
  done
}

installkernel() {
  hostonly='' instmods iscsi_tcp iscsi_ibft sd_mod crc32c af_packet ipv6 bonding 8021q
  # Of a machine with one image for itself, the drivers that it uses.
  instmods '=drivers/net/phy' '=drivers/net/mdio'
  dracut_instmods -o -P '.*/(wireless|isdn|uwb)/.*' -s 'eth_type_trans|register_virtio_device|usbnet_open' '=drivers/net'
}

# login_parameters MAJOR:MINOR: a parameter a line, by which a boot logs in again as the session of that disk has been logged in to.
login_parameters() {
  local disk session id target initiator connection address port lun number
  stands_on_iscsi "$1" || return 1
  disk=$(readlink -f "$dracutsysrootdir/sys/dev/block/$1")
  disk=${disk%%/block/*}
  session=${disk%%/target*}
  id=${session##*/}
  read -r target <"$session/iscsi_session/$id/targetname"
  # The firmware tells all that is to be known.
  if grep -qsxF -e "$target" "$dracutsysrootdir"/sys/firmware/*/target*/target-name; then
    echo rd.iscsi.firmware=1
    return
  fi
  read -r initiator <"$session/iscsi_session/$id/initiatorname"
  for connection in "$session"/connection*/iscsi_connection/connection*; do
    read -r address <"$connection/persistent_address"
    read -r port <"$connection/persistent_port"
  done
  [[ $address ]] || return 1
  # RFC 4173 writes a unit as groups of hexadecimal digits; with all four it is not taken for a decimal number.
  number=${disk##*:}
  printf -v lun %x $((number & 0xffff))
  ((number < 10 || number > 0xffff)) || printf -v lun %04x "$number"
  ((number < 0x10000)) || printf -v lun '%s-%x' "$lun" $((number >> 16))
  network_parameters "$address"
  [[ $address != *:* ]] || address="[$address]"
  echo "rd.iscsi.initiator=$initiator"
  echo "netroot=iscsi:$address::$port:$lun:$target"
  warn_of_secret "$session/iscsi_session/$id" "$target"
}

# vlan_parameter DEVICE: what makes that VLAN, whose name is VLAN then. In a parameter the name tells the number, so that another name than one
# that ends with it is of no use.
vlan_parameter() {
  local name number link digits
  while IFS=' |' read -r name number link; do
    [[ $name == "$1" && $number == [1-9]* && $link ]] || continue
    digits=${name##*[!0-9]}
    [[ $digits && $((10#$digits)) == "$number" ]] || VLAN=vlan$number
    echo "vlan=$VLAN:$link"
  done < <(cat "$dracutsysrootdir/proc/net/vlan/config" 2>/dev/null)
}

# warn_of_kind DEVICE: a device that is made of others is not made by us.
warn_of_kind() {
  local device=$dracutsysrootdir/sys/class/net/$1 kind=''
  [[ ! -e $device/bonding ]] || kind=bond
  [[ ! -e $device/bridge ]] || kind=bridge
  [[ $kind ]] || ! ip -d -o link show dev "$1" 2>/dev/null | grep -qw team || kind=team
  [[ ! $kind ]] ||
    dwarn "iscsi-admin: the target is reached over the $kind $1, which iscsi-admin does not make at a boot: add dracut's module network and $kind=, or give ip= for a card"
}

# was_leased ADDRESS: whether a DHCP server has given it to the boot of this system, which has kept it.
was_leased() { grep -qsxF -e "$1" "$dracutsysrootdir"/run/iscsi-admin/lease-*; }

# network_parameters ADDRESS: what sets up the card over which that address is reached, as it is set up now.
network_parameters() {
  local words word line last='' device='' source='' gateway='' network='' peer='' mtu VLAN
  read -ra words < <(ip -o route get "$1" 2>/dev/null)
  for word in "${words[@]}"; do
    case $last in dev) device=$word ;; src) source=$word ;; via) gateway=$word ;; esac
    last=$word
  done
  [[ $device && $device != lo && $source ]] || return 0
  VLAN=$device
  vlan_parameter "$device"
  warn_of_kind "$device"
  line=$(ip -o address show dev "$device" to "$source" 2>/dev/null)
  # What somebody gives for a time alone has to be asked for again.
  if was_leased "$source"; then
    [[ $source == *:* ]] && echo "ip=$VLAN:dhcp6" || echo "ip=$VLAN:dhcp"
    return
  fi
  if [[ $line == *' dynamic '* ]]; then
    [[ $source == *:* ]] && echo "ip=$VLAN:auto6" || echo "ip=$VLAN:dhcp"
    return
  fi
  # Of a wire with two ends the network is told by the other one.
  read -ra words <<<"$line"
  last=''
  for word in "${words[@]}"; do
    case $last in inet | inet6 | peer) network=$word ;; esac
    [[ $last != peer ]] || peer=${word%/*}
    last=$word
  done
  [[ $source != *:* ]] || source="[$source]" gateway=${gateway:+[$gateway]} peer=${peer:+[$peer]}
  read -r mtu <"$dracutsysrootdir/sys/class/net/$device/mtu"
  [[ $mtu != 1500 ]] || mtu=
  [[ $network == */* ]] || network=
  echo "ip=$source:$peer:$gateway:${network##*/}::$VLAN:none${mtu:+:$mtu}"
}

# warn_of_secret SESSION TARGET: everybody may read parameters, so that no secret is among them.
warn_of_secret() {
  local user
  read -r user <"$1/username"
  [[ $user && $user != '(null)' ]] || return 0
  ! grep -qs '^ISCSI_PASSWORD=' "$dracutsysrootdir/etc/iscsi/iscsi.initramfs" || return 0
  dwarn "iscsi-admin: the login to $2 takes a secret, which is not among the parameters: ISCSI_USERNAME= and ISCSI_PASSWORD= belong to /etc/iscsi/iscsi.initramfs"
}

# Called by dracut: the parameters that a boot of this system needs.
cmdline() {
  for_each_host_dev_and_slaves_all login_parameters | sort -u
}

# install_parameters: those that the image is to know by itself, if nothing else tells them at each boot.
install_parameters() {
  local parameters asked='(^|[[:space:]])((net)?root=(iscsi|dhcp)|iscsi_target_name=)'
  ! grep -qsE "$asked" "$dracutsysrootdir/proc/cmdline" || return 0
  ! grep -qs '^ISCSI_TARGET_NAME=' "$dracutsysrootdir/etc/iscsi/iscsi.initramfs" || return 0
  parameters=$(cmdline)
  [[ $parameters ]] || return 0
  # shellcheck disable=SC2154 # set by dracut
  mkdir -p "$initdir/etc/cmdline.d"
  echo "$parameters" >"$initdir/etc/cmdline.d/95iscsi-admin.conf"
}

install() {
  local link
  inst_multiple iscsi-admin tail tee
  # Whatever there is of what asks for an address once.
  inst_multiple -o busybox udhcpc dhcpcd dhclient ip
  # shellcheck disable=SC2154 # set by dracut
  if [[ ! -e $initdir/usr/bin/udhcpc && -e $initdir/usr/bin/busybox ]]; then
    ln -s busybox "$initdir/usr/bin/udhcpc"
  fi
  # By which udev gives cards the names that they have in the system: ip= uses those, and a card in use keeps the name that it has.
  inst_multiple -o /usr/lib/systemd/network/99-default.link
  for link in /etc/systemd/network/*.link; do
    [[ ! -e $link ]] || inst_simple "$link"
  done
  # Two machines with one name and one secret would take the session from each other: an image for several has none of them.
  if [[ $hostonly ]]; then
    inst_multiple -o /etc/iscsi/initiatorname.iscsi /etc/iscsi/iscsi.initramfs /etc/iscsi/iscsid.conf
  elif [[ -e ${dracutsysrootdir-}/etc/iscsi/iscsi.initramfs ]]; then
    dwarn 'iscsi-admin: an image for several machines has neither /etc/iscsi/iscsi.initramfs nor the initiator name of this one; if it is for this one: install_items+=" /etc/iscsi/initiatorname.iscsi /etc/iscsi/iscsi.initramfs "'
  fi
  # shellcheck disable=SC2154 # set by dracut
  [[ $hostonly_cmdline != yes ]] || install_parameters
  # shellcheck disable=SC2154 # set by dracut
  inst_hook cmdline 90 "$moddir/parse-iscsi-admin.sh"
  inst_hook initqueue/settled 20 "$moddir/connect-iscsi-admin.sh"
  inst_hook mount 98 "$moddir/mount-iscsi-admin.sh"
  inst_hook emergency 50 "$moddir/tell-iscsi-admin.sh"
  # What dracut's module network calls for netroot=iscsi:..., if it is in the image, has nothing to do: the hook logs in.
  inst "$(type -P true)" /sbin/iscsiroot
  dracut_need_initqueue
}
