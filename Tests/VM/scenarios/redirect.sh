# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target moved for now (0101): the login goes on at the address the target names. A loop of redirects ends.
# targets: tgt lio

target_start "$TARGET"
fake_target 4001 read answer status=0101 "text=TargetAddress=$TARGET_ADDRESS:3260,1"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4001"
connection=$(echo "$(session_of "$IQN")"/device/connection*/iscsi_connection/*)
expect_equal 3260 "$(<"$connection/port")"
expect_equal 4001 "$(<"$connection/persistent_port")"
expect_exit 0 iscsi-admin logout "$IQN"

fake_target 4002 read answer status=0101 "text=TargetAddress=$TARGET_ADDRESS:4002,1"
run timeout 20 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4002" --timeout 10
((STATUS != 0)) || fail 'a loop of redirects succeeded'
expect_within 10000
expect_sessions 0
