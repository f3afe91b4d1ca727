# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One target through two portals: two sessions, as multipath wants them.
# targets: tgt lio

target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS_2:3260"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS_2"
expect_sessions 2
expect_equal 1 "$(connections_from "$INITIATOR_ADDRESS")"
expect_equal 1 "$(connections_from "$INITIATOR_ADDRESS_2")"
expect_exit 0 iscsi-admin logout "$IQN"
expect_sessions 0
