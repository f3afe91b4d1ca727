# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A closed port, an unreachable host, a silent path and a silent target: each fails in time with its own status.

network_up
expect_exit 4 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:3261" --timeout 5
expect_stderr '3261'
expect_within 5000
expect_exit 4 iscsi-admin discover "$TARGET_ADDRESS:3261"

ip route add unreachable 10.9.9.0/24
expect_exit 4 iscsi-admin login "$IQN" --portal 10.9.9.9 --timeout 5
expect_within 5000

path_cut 0
expect_exit 8 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 2
expect_within 4000
path_restore 0

# Connected, but no answer to the Login Request.
fake_target 4000 read silent
expect_exit 11 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --timeout 2
expect_within 4000
expect_sessions 0
