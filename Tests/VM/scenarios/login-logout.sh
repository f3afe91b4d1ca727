# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Discovery, login, listing, data, logout: the ordinary day. Nothing is left.
# targets: tgt lio

target_start "$TARGET"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
expect_stdout "$IQN"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS:3260" --json
expect_json "[.. | strings] | any(. == \"$IQN\")"
expect_sessions 0

expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_sessions 1
expect_equal LOGGED_IN "$(<"$(session_of "$IQN")/state")"
disk=$(disk_of "$IQN")
expect_equal $((16 << 20)) "$(disk_size "$disk")"

expect_exit 0 iscsi-admin session list
expect_stdout "$IQN"
expect_stdout "$TARGET_ADDRESS:3260"
expect_exit 0 iscsi-admin session list --json
expect_json "[.. | strings] | any(. == \"$IQN\")"
expect_exit 0 iscsi-admin session show "$(sid_of "$IQN")"
expect_stdout "$IQN"
expect_stdout "$disk"
expect_exit 0 iscsi-admin session show --json

check_data "$disk" 4

# A second login to the same portal is refused and changes nothing.
expect_exit 15 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_sessions 1

expect_exit 0 iscsi-admin logout "$IQN"
expect_sessions 0
[[ ! -e /sys/block/$disk ]] || fail "$disk is still there"
expect_exit 21 iscsi-admin logout "$IQN"
expect_exit 21 iscsi-admin session list
