# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# udev gives the cards other names while the network is set up on whichever has a server of addresses.
# limit: 300
# memory: 1024

image_of dracut
server serve_root tgt
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m
# shellcheck disable=SC2034 # for kernel_parameters
IFNAMES=1
diskless_start ip=dhcp rd.iscsi.initiator=iqn.2026-11.org.example:boot \
  root=LABEL=root rw "netroot=iscsi:10.0.0.1:::1:$IQN"
expect_adopted
expect_match '^en' "$(diskless "ip -o -4 address show | sed -n 's/.*: \(.*\) *inet 10\.0\.0\..*/\1/p'")"
diskless 'ls /sys/class/net'
ends_whole tgt
