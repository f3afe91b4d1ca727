# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An image by Debian's initramfs-tools with our hook, which goes by the parameters of Debian's own.
# limit: 300
# memory: 1024

image_of initramfs-tools
server serve_root tgt
diskless_start root=LABEL=root ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off \
  iscsi_hand_over iscsi_initiator=iqn.2026-11.org.example:boot "iscsi_target_name=$IQN" iscsi_target_ip=10.0.0.1
expect_adopted
expect_diskless_profile
# For ifupdown the card is up, and none of its own.
expect_equal iscsi-admin-boot "$(diskless cat /run/network/ifstate.eth0)"
# The copy for when the disk is away can be run.
wait_until 10 from_memory iscsi-admin version
ends_whole tgt
