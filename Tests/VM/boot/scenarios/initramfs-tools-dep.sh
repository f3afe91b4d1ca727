# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# initramfs-tools with MODULES=dep: of this machine's card the image has the driver, and those of what is before and behind it.
# limit: 300
# memory: 1024

image_of initramfs-tools-dep
image_has_module virtio_net
image_has_module pci-hyperv
image_has_module hid-hyperv
# It is no image with everything.
! image_has_module xen-netfront || fail 'the image has the drivers of other machines'
server serve_root tgt
diskless_start root=LABEL=root ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off \
  iscsi_initiator=iqn.2026-11.org.example:boot "iscsi_target_name=$IQN" iscsi_target_ip=10.0.0.1
expect_adopted
ends_whole tgt
