# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Of two ways to the target one is dead, which does not keep the boot from going on.

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root tgt
server cut 1
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off ip=10.0.1.2:::255.255.255.0::eth1:off \
  rd.iscsi.initiator=iqn.2026-11.org.example:boot "netroot=iscsi:10.0.0.1:::1:$IQN" "netroot=iscsi:10.0.1.1:::1:$IQN"
expect_adopted
expect_diskless_profile
expect_data
diskless_ends
