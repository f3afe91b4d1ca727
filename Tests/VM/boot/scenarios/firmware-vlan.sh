# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware's card is in a VLAN, which is made; the disk is reached in it alone.
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.5.2/24 vlan=5
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.5.1 lun=1

initramfs <<'SCRIPT'
iscsistart -N
iscsistart -b
SCRIPT
server 'ip link add link eth0 name eth0.5 type vlan id 5 && ip address add 10.0.5.1/24 dev eth0.5 && ip link set eth0.5 up'
server serve_root tgt --portal 10.0.5.1:3260
diskless_start
expect_adopted
ends_whole tgt
