# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware's card has an address by DHCP, which the table says without having it: iscsistart asks for one.
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=0.0.0.0/0 origin=3
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1

initramfs <<'SCRIPT'
iscsistart -N
iscsistart -b
SCRIPT
server serve_root tgt
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-host=52:54:00:12:31:50,10.0.0.52
diskless_start
expect_match '10\.0\.0\.52/24' "$(diskless 'ip -4 address show dev eth0')"
expect_adopted
ends_whole tgt
