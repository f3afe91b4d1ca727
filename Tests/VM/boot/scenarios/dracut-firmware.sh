# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut with no root= at all: the firmware's table names the disk, which is booted from as a whole.
# limit: 300
# memory: 1024
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1

image_of dracut
server serve_root tgt
diskless_start rw
expect_adopted
expect_diskless_profile
ends_whole tgt
