# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware's table is all there is; with parameters of none, the connection comes up by it.
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1 user=alice secret=wonderland12 mutual-user=queen mutual-secret=offwithherhead

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root tgt --user alice --secret wonderland12 --mutual-user queen --mutual-secret offwithherhead
diskless_start
expect_adopted
expect_diskless_profile
expect_data
diskless_ends
