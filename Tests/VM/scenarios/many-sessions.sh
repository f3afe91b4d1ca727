# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Many sessions by one command: 64 targets, and 16 targets with two portals each.
# limit: 120
# kernels: 6.12

count=64
target_add_many lio $count
lio_share_disk $count 4
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all --json
expect_json ".kind == \"login\" and (.logins | length == $count and all(.devices | length == 1 and .[0].blockDevice != null))"
expect_json '[.logins[].session] | unique | length == 64'
expect_sessions $count
expect_exit 0 iscsi-admin session list
expect_equal $((count + 1)) "$(wc -l <"$OUT/stdout")"
expect_exit 0 iscsi-admin session list --json
expect_json ".sessions | length == $count and all(.state == \"LOGGED_IN\" and .connection.state == \"up\" and (.devices | length == 1))"
expect_json '[.sessions[].target] | unique | length == 64'
expect_json '[.sessions[].devices[0].blockDevice] | unique | length == 64'
expect_exit 0 iscsi-admin session show --json
expect_json ".sessions | length == $count"
expect_exit 0 iscsi-admin session rescan --json
expect_json ".sessions | length == $count and all(.devices | length == 1)"
# Those that are there fail with 15; nothing is changed.
expect_exit 15 iscsi-admin login --portal "$TARGET_ADDRESS" --all
expect_equal $count "$(grep -c 'already' "$OUT/stderr")"
expect_sessions $count
expect_exit 0 iscsi-admin logout --all --json
expect_json ".logouts | length == $count and all(.problems == [])"
expect_nothing_left
lio_stop

count=16
target_add_many lio $count "$TARGET_ADDRESS:3260" "$TARGET_ADDRESS_2:3260"
lio_share_disk $count 4
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all
expect_equal $((count * 2)) "$(wc -l <"$OUT/stdout")"
expect_exit 0 iscsi-admin session list --json
expect_json '[.sessions[] | {target, address: .connection.portal.address}] | length == 32 and (unique | length == 32)'
expect_json '[.sessions | group_by(.target)[] | [.[].connection.portal.address] | sort] | length == 16 and all(. == ["10.0.0.1", "10.0.1.1"])'
expect_exit 0 iscsi-admin logout --all --portal "$TARGET_ADDRESS_2"
expect_sessions $count
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
