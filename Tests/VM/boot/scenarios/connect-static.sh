# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same by parameters that name a static address, for a target of the kernel's; the session has a diskless machine's timeouts.

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root lio
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot "netroot=iscsi:10.0.0.1:::0:$IQN"
expect_adopted
expect_diskless_profile
# What drives the card is found by the way to the target; there is no image, which is not for this machine to say otherwise.
check=$(in_root 'iscsi-admin boot check; [ $? = 1 ]')
expect_match 'OK +the root file system is on session 1' "$check"
expect_match 'OK +kernel [^ ]+ has all modules that a boot needs' "$check"
expect_match 'PROBLEM +there is no initramfs image for kernel' "$check"
ends_whole lio
