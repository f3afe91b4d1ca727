# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Timeouts of a living session are changed, also over multipathd's, and outlive recoveries and daemons; its counters are shown.
# targets: tgt lio

target_start "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
sid=$(sid_of "$IQN") session=$(session_of "$IQN") connection=$(connection_of "$IQN")

expect_exit 0 iscsi-admin session set "$sid" --replacement-timeout 33 --noop-interval 7 --noop-timeout 8 --abort-timeout 9 \
  --lu-reset-timeout 10 --target-reset-timeout 11
expect_stdout "session $sid: changed"
expect_equal '33 9 10 11' "$(cat "$session"/{recovery_tmo,abort_tmo,lu_reset_tmo,tgt_reset_tmo} | tr '\n' ' ' | sed 's/ $//')"
expect_equal '7 8' "$(<"$connection/recv_tmo") $(<"$connection/ping_tmo")"

# What is written there the kernel lets no request change any more, and says that it did.
echo 5 >"$session/recovery_tmo"
expect_exit 0 iscsi-admin session set "$sid" --replacement-timeout 44
expect_equal 44 "$(<"$session/recovery_tmo")"
expect_exit 0 iscsi-admin session set "$sid" --replacement-timeout -1
expect_equal off "$(<"$session/recovery_tmo")"
expect_exit 0 iscsi-admin session set "$sid" --replacement-timeout 55 --json
expect_json ".kind == \"session-set\" and .sessions == [$sid]"

expect_exit 2 iscsi-admin session set 4711 "$sid" --noop-interval 6
expect_equal 6 "$(<"$connection/recv_tmo")"
expect_exit 7 iscsi-admin session set "$sid"

# By the daemon and by the next one.
for way in none kill; do
  [[ $way == none ]] || daemon_restart $way
  recoveries() { iscsi-admin session show "$sid" --json | jq '.sessions[0].recovery.recoveries'; }
  before=$(recoveries)
  reset_connections
  more_recoveries() { (($(recoveries) > before)); }
  wait_until 20 more_recoveries
  expect_equal '55 9' "$(<"$session/recovery_tmo") $(<"$session/abort_tmo")"
  expect_equal '6 8' "$(<"$connection/recv_tmo") $(<"$connection/ping_tmo")"
done

check_data "$(disk_of "$IQN")" 1
expect_exit 0 iscsi-admin session statistics "$sid"
expect_stdout '^txdata_octets +[1-9][0-9]*$'
expect_exit 0 iscsi-admin session statistics "$sid" --json
expect_json ".session == $sid and ([.counters[] | select(.name == \"rxdata_octets\") | .value][0] > 1000000)"
expect_exit 2 iscsi-admin session statistics 4711
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
