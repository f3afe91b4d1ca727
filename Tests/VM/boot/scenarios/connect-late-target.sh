# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target that comes only later is waited for, with a word for each attempt.

initramfs <<'SCRIPT'
iscsi-admin boot connect
SCRIPT
server serve_root tgt
server target_kill tgt
diskless_begin ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot "netroot=iscsi:10.0.0.1:::1:$IQN"
wait_until 60 grep -a "login to $IQN at 10.0.0.1:3260 failed: .*attempt 2" "$RUN_DIRECTORY/diskless-console"
server target_restart tgt
diskless_is_up
expect_adopted
expect_data
diskless_ends
