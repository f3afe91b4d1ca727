# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Without privileges: discovery works, everything that touches the kernel ends with 13 and says what is needed.
# targets: tgt

target_start "$TARGET"
expect_exit 0 as_nobody iscsi-admin version
expect_exit 0 as_nobody iscsi-admin discover "$TARGET_ADDRESS"
expect_stdout "$IQN"
expect_exit 13 as_nobody iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_stderr '[Rr]oot|CAP_SYS_ADMIN'
expect_sessions 0
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 as_nobody iscsi-admin session list
expect_exit 13 as_nobody iscsi-admin logout "$IQN"
expect_sessions 1
expect_exit 0 iscsi-admin logout "$IQN"
