# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Without a daemon: what only looks works, what changes something ends with 20 and says how to start one.
# targets: tgt
# daemon: no

target_start tgt
lun=$(first_lun tgt)
expect_exit 0 iscsi-admin version
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin probe "iscsi://$TARGET_ADDRESS:3260/$IQN/$lun"
expect_exit 21 iscsi-admin session list
expect_exit 20 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_silent_stdout
expect_stderr 'iscsi-admin daemon'
expect_within 3000
expect_sessions 0
# A daemon that was killed leaves its socket: the same.
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
daemon_kill
expect_exit 0 iscsi-admin session list
expect_exit 0 iscsi-admin session show
for command in 'logout --all' "logout $IQN" 'session rescan' "login $IQN-2 --portal $TARGET_ADDRESS"; do
  # shellcheck disable=SC2086
  expect_exit 20 iscsi-admin $command
  expect_silent_stdout
  expect_stderr 'iscsi-admin daemon'
  expect_within 3000
done
expect_sessions 1
daemon_start
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
daemon_stop
expect_exit 21 iscsi-admin logout --all
