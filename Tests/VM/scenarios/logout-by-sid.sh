# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sessions are told apart by number, and all leave at once.
# targets: tgt lio

target_start "$TARGET"
target_start "$TARGET" --name "$IQN-2"
target_start "$TARGET" --name "$IQN-3"
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all
expect_sessions 3
expect_exit 0 iscsi-admin logout "$(sid_of "$IQN-2")"
expect_sessions 2
session_of "$IQN" >/dev/null
session_of "$IQN-3" >/dev/null
expect_exit 0 iscsi-admin logout --all
expect_sessions 0
