# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel's iSCSI listens in the first network namespace only: elsewhere the command says so instead of hanging.
# targets: tgt

target_start "$TARGET"
run in_target iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 5
((STATUS != 0)) || fail 'a login outside the first namespace succeeded'
expect_stderr 'network namespace'
expect_within 5000
expect_sessions 0
expect_exit 0 in_target iscsi-admin discover "$TARGET_ADDRESS"
