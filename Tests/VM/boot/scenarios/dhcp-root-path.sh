# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# All that the parameters say is that the network knows: the server of addresses tells the target, as RFC 4173 has it.

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root tgt
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m "--dhcp-option=17,iscsi:10.0.0.1:::1:$IQN"
diskless_start ip=dhcp netroot=dhcp rd.iscsi.initiator=iqn.2026-11.org.example:boot
expect_adopted
expect_diskless_profile
ends_whole tgt
