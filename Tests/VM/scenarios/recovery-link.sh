# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The cable is pulled: for a second, for thirty, and for longer than I/O is to wait, which then fails and works again afterwards.
# When it is back, the next attempt is made at once, and not when it would have been due.
# kernels: 6.12
# targets: tgt lio
# limit: 150

target_start "$TARGET"
session_with_io
echo '--- one second'
link_down 0
sleep 1
outage_ends link_up 0
expect_equal 0 "$(io_count errors)"

echo '--- thirty seconds'
outage_begins link_down 0
wait_until 5 has_event diagnosed
sleep 26
# is_waiting: the next attempt is due at the time DUE, which is far enough away.
is_waiting() {
  DUE=$(iscsi-admin session show "$SID" --json | jq '.sessions[0].recovery.outage.nextAttemptUnixSeconds // 0')
  jq -en "$DUE > $EPOCHREALTIME + 1.6"
}
recoveries=$(events recovered)
wait_until 30 is_waiting
link_up 0
wait_until 10 event_count_is recovered $((recoveries + 1))
back=$(jq -n '[inputs | select(.kind == "recovered")] | last | .time' "$OUT/events")
echo "back $(jq -n "($DUE) - $back") s before the next attempt was due"
jq -en "$back < $DUE" >/dev/null || fail 'the link came back, and nobody tried until the next attempt was due'
outage_ends true
end_session

echo '--- longer than the replacement timeout'
session_with_io --replacement-timeout 3
link_down 0
wait_until 20 session_state_is "$SID" FREE
wait_until 10 io_count_is_above errors 0
outage_ends link_up 0
expect_whole 1
io_expect_no_corruption
check_data "$DISK" 1
expect_logged_out
