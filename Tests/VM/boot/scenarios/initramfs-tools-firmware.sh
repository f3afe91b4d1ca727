# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# initramfs-tools again, where the firmware's table is all that there is.
# limit: 300
# memory: 1024
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1

image_of initramfs-tools
server serve_root tgt
diskless_start root=LABEL=root
expect_adopted
expect_diskless_profile
ends_whole tgt
