# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The address comes by DHCP, from a client that is asked once; nothing of it runs later, and address and session last until the end.

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root tgt
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-host=52:54:00:12:31:50,10.0.0.52
diskless_start ip=dhcp iscsi_initiator=iqn.2026-11.org.example:boot "iscsi_target_name=$IQN" iscsi_target_ip=10.0.0.1
expect_match '10\.0\.0\.52/24' "$(diskless 'ip -4 address show dev eth0')"
expect_equal '' "$(diskless 'ps | grep -E "[u]dhcpc|[d]hcpcd|[d]hclient"' || true)"
# Who makes an image of this system knows that the address is the server's.
expect_equal 10.0.0.52 "$(diskless cat /run/iscsi-admin/lease-eth0)"
expect_adopted
expect_diskless_profile
ends_whole tgt
