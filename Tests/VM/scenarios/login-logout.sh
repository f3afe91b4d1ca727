# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Discovery, login, listing, data, logout: the ordinary day. Nothing is left.
# targets: tgt lio

target_start "$TARGET"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
expect_stdout "$IQN"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS:3260" --json
expect_json '.version == 1 and .kind == "discovery" and .failures == [] and .refused == [] and (.targets | length == 1)'
expect_json ".targets[0] | .name == \"$IQN\" and .portals == [{address: \"$TARGET_ADDRESS\", port: 3260, targetPortalGroupTag: 1}]"
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
expect_json '.version == 1 and .kind == "session-list" and .failures == [] and (.sessions | length == 1)'
expect_json ".sessions[0] | .id == $(sid_of "$IQN") and .target == \"$IQN\" and .targetPortalGroupTag == 1"
expect_json '.sessions[0] | .transport == "tcp" and .state == "LOGGED_IN" and .connection.state == "up"'
expect_json ".sessions[0].connection.portal | .address == \"$TARGET_ADDRESS\" and .port == 3260"
expect_json ".sessions[0].devices | any(.blockDevice == \"$disk\" and .state == \"running\")"
expect_json '.sessions[0] | has("negotiated") or has("timeouts") or has("initiator") | not'
expect_exit 0 iscsi-admin session show "$(sid_of "$IQN")"
expect_stdout "$IQN"
expect_stdout "$disk"
expect_exit 0 iscsi-admin session show --json
expect_json ".kind == \"session-show\" and .sessions[0].initiator == \"$INITIATOR_IQN\" and .sessions[0].interface == \"default\""
expect_json '.sessions[0].negotiated | .headerDigest == "None" and .dataDigest == "None" and .errorRecoveryLevel == 0'
expect_json ".sessions[0].devices | any(.blockDevice == \"$disk\" and .typeName == \"disk\" and .sizeBytes == $((16 << 20)))"
expect_json '.sessions[0].timeouts | .replacementTimeoutSeconds == 120 and .noopIntervalSeconds == 5 and .noopTimeoutSeconds == 5'

# The administrator of the target is shown the alias of this machine, which is its name of a host.
[[ $TARGET != tgt ]] || expect_equal 1 "$(tgtadm_iscsi --op show --mode target | grep -c "Initiator: $INITIATOR_IQN alias: $(hostname)$")"

check_data "$disk" 4

# A second login to the same portal is refused and changes nothing.
expect_exit 15 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --json
expect_json '.kind == "login" and .logins == [] and (.failures | length == 1 and .[0].exitCode == 15)'
expect_sessions 1

sid=$(sid_of "$IQN")
expect_exit 0 iscsi-admin logout "$IQN" --json
expect_json ".kind == \"logout\" and .failures == [] and (.logouts | length == 1 and .[0].session == $sid and .[0].problems == [])"
expect_nothing_left
[[ ! -e /sys/block/$disk ]] || fail "$disk is still there"
expect_exit 21 iscsi-admin logout "$IQN"
expect_exit 21 iscsi-admin session list
expect_exit 21 iscsi-admin session list --json
expect_json '.sessions == [] and (.failures | length == 1 and .[0].exitCode == 21)'
