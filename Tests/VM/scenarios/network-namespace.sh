# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel's iSCSI listens in the first network namespace only: a daemon elsewhere says so instead of hanging. Its clients may
# be anywhere, since its socket is in the file system.
# targets: tgt
# daemon: no

target_start "$TARGET"
expect_exit 12 in_target iscsi-admin daemon
expect_stderr 'network namespace'
expect_within 5000

daemon_start
expect_exit 0 in_target iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_sessions 1
expect_exit 0 in_target iscsi-admin logout --all
expect_sessions 0
expect_exit 0 in_target iscsi-admin discover "$TARGET_ADDRESS"
daemon_stop
