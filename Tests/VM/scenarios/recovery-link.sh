# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The cable is pulled: for a second, for thirty, until an attempt has waited for long, and for longer than I/O is to wait, which then fails
# and works again afterwards. When it is back, the next attempt is made at once, and not when it would have been due; nor does one
# that is under way wait until TCP tries again.
# kernels: 6.12
# targets: tgt lio
# limit: 220

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
  jq -en "$DUE > $EPOCHREALTIME + 1.2"
}
recoveries=$(events recovered)
wait_until 30 is_waiting
link_up 0
wait_until 10 event_count_is recovered $((recoveries + 1))
back=$(jq -n '[inputs | select(.kind == "recovered")] | last | .time' "$OUT/events")
echo "back $(jq -n "($DUE) - $back") s before the next attempt was due"
jq -en "$back < $DUE" >/dev/null || fail 'the link came back, and nobody tried until the next attempt was due'
outage_ends true

echo '--- until an attempt has waited for long'
# Else the kernel knows after 3 s that nobody on the link answers; of what is behind a router it does not.
ip neighbour replace "$TARGET_ADDRESS" lladdr "$(ip -n target -json link show tgt0 | jq -r '.[0].address')" dev san0 nud permanent
# TCP repeats its first segment after 1, 3 and 7 s then, as before Linux 6.5; nothing else is left that could help by chance.
linear=/proc/sys/net/ipv4/tcp_syn_linear_timeouts
[[ ! -e $linear ]] || echo 0 >"$linear"
# has_waited: attempt ATTEMPT has waited for its connection for more than 3.2 s, but not for the 7 s.
ATTEMPT=0 BEGAN=$EPOCHREALTIME
has_waited() {
  local attempt
  attempt=$(iscsi-admin session show "$SID" --json \
    | jq '.sessions[0].recovery.outage | if .nextAttemptUnixSeconds then 0 else .attempts // 0 end')
  [[ $attempt == "$ATTEMPT" ]] || ATTEMPT=$attempt BEGAN=$EPOCHREALTIME
  ((ATTEMPT > 0)) && jq -en "$EPOCHREALTIME > $BEGAN + 3.2"
}
outage_begins link_down 0
recoveries=$(events recovered)
wait_until 70 has_waited
up=$EPOCHREALTIME
link_up 0
wait_until 10 event_count_is recovered $((recoveries + 1))
back=$(jq -n '[inputs | select(.kind == "recovered")] | last | .time' "$OUT/events")
echo "attempt $ATTEMPT; back $(jq -n "$back - $up") s after the link"
jq -en "$back < $up + 2" >/dev/null || fail 'the link came back, and the attempt that was under way went on waiting'
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
