# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The disk is logged in to by iscsistart's arguments over a static address, and nothing that can be written but /run; the daemon takes the
# session up, and the end is clean.

initramfs <<'SCRIPT'
ip address add 10.0.0.2/24 dev eth0
ip link set eth0 up
mount -o remount,ro /
if touch /file; then give_up 'the initramfs can be written to'; fi
iscsistart -i iqn.2026-11.org.example:boot -t iqn.2026-11.org.example:disk -g 1 -a 10.0.0.1
SCRIPT
server serve_root tgt
diskless_start
expect_adopted
ends_whole tgt
