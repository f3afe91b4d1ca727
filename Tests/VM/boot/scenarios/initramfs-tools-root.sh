# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# initramfs-tools again, with root=iscsi:... alone, which boots from the whole disk of that unit.
# limit: 300
# memory: 1024

image_of initramfs-tools
server serve_root tgt
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off iscsi_initiator=iqn.2026-11.org.example:boot "root=iscsi:10.0.0.1:::1:$IQN"
expect_adopted
expect_diskless_profile
# The copy for when the disk is away can be run.
wait_until 10 from_memory iscsi-admin version
ends_whole tgt
