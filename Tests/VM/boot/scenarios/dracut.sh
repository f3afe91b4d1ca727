# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An image by Debian's dracut, with systemd, and our module in the place of its own, which takes the same parameters.
# limit: 300
# memory: 1024

image_of dracut
# Of other machines as well, as it is for none in particular.
for name in vmxnet3 hv_netvsc xen-netfront 8021q bonding; do image_has_module $name; done
server serve_root tgt
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot rd.iscsi.hand_over \
  root=LABEL=root rw "netroot=iscsi:10.0.0.1:::1:$IQN"
expect_adopted
expect_diskless_profile
# Who manages the network of the system is told to leave the card alone.
expect_match 'KeepConfiguration=yes' "$(diskless cat /run/systemd/network/05-iscsi-admin-eth0.network)"
expect_match 'unmanaged-devices\+=mac:52:54:00:12:31:50;interface-name:eth0$' "$(diskless cat /run/NetworkManager/conf.d/05-iscsi-admin-eth0.conf)"
ends_whole tgt
