# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut again, with root=iscsi:... alone, which boots from the whole disk of that unit.
# limit: 300
# memory: 1024

image_of dracut
server serve_root tgt
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot \
  rw "root=iscsi:10.0.0.1:::1:$IQN"
expect_adopted
expect_diskless_profile
ends_whole tgt
