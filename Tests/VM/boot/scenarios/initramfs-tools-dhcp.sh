# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# initramfs-tools again, with all that is to be known in the image's file, and the address from Debian's own client for DHCP.
# limit: 300
# memory: 1024

# shellcheck disable=SC2034 # for image_of
BOOT_FILE="ISCSI_TARGET_NAME=$IQN
ISCSI_TARGET_IP=10.0.0.1
ISCSI_IP=eth0:dhcp
ISCSI_USERNAME=alice
ISCSI_PASSWORD=wonderland12"
image_of initramfs-tools
server serve_root tgt --user alice --secret wonderland12
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-host=52:54:00:12:31:50,10.0.0.52
diskless_start root=LABEL=root
expect_match '10\.0\.0\.52/24' "$(diskless 'ip -4 address show dev eth0')"
expect_adopted
expect_diskless_profile
ends_whole tgt
