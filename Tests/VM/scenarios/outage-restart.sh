# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon is killed in the middle of an outage: the next one knows its cause, its beginning and its deadline, which I/O goes by.
# kernels: 6.12
# targets: tgt lio
# limit: 150

# shown FILTER, outage FILTER: what jq finds in the session, and in its present outage.
shown() { iscsi-admin session show "$SID" --json | jq -c ".sessions[0] | $1"; }
outage() { shown ".recovery.outage | $1"; }
attempts_are_above() { (($(outage .attempts) > $1)); }
attempts_are_on_record() { (($(jq .outage.attempts "$record") >= $1)); }
# same_outage: what is known of it is what was known at first.
same_outage() {
  expect_equal "$cause" "$(outage "$causes")"
  is_about "$(outage .sinceUnixSeconds)" "$since" 0.1
  is_about "$(outage .deadlineUnixSeconds)" "$deadline" 0.1
}

causes='[.cause, .kernelError, .kernelErrorName, .replacementTimeoutSeconds]'
target_start "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --replacement-timeout 30 --noop-interval 0 --noop-timeout 0
SID=$(sid_of "$IQN") DISK=$(disk_of "$IQN")
record=$DAEMON_SESSIONS/$SID.established
expect_equal null "$(jq .outage "$record")"

target_kill "$TARGET"
wait_until 5 session_state_is "$SID" FAILED
wait_until 10 attempts_are_on_record 2
cause=$(outage "$causes")
since=$(outage .sinceUnixSeconds) deadline=$(outage .deadlineUnixSeconds)
expect_match '^\["the kernel reported .*",[0-9]+,"[A-Z_]+",30\]$' "$cause"
is_about "$deadline - $since" 30 0.1
{
  status=0
  dd if="/dev/$DISK" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null || status=$?
  echo "$status $EPOCHREALTIME" >"$OUT/read"
} &
reader=$!
# What is set now is for the next outage, and not the deadline of this one, whoever asks for it.
expect_exit 0 iscsi-admin session set "$SID" --replacement-timeout 600

daemon_restart kill
monitor_start
same_outage
expect_equal '"recovering"' "$(shown .status.recoveryState)"
is_about "$(shown .status.deadlineUnixSeconds)" "$deadline" 0.1
# Attempts are counted on.
attempts_are_above 1 || fail "the attempts begin anew: $(outage .attempts)"
wait_until 5 event_count_is lost 1
grep -q 'connection still lost: the kernel reported' "$OUT/events" || fail "the loss is told as a new one: $(<"$OUT/events")"
monitor_stop
daemon_restart stop
same_outage

wait "$reader"
read -r status ended <"$OUT/read"
expect_equal 1 "$status"
# Never before; and later by as long as a busy machine takes to stop the disks' queues, after which the kernel begins to count.
jq -en "($ended) - ($deadline) | . > -0.5 and . < 3 * ${PATIENCE:-1}" >/dev/null || fail "I/O failed at $ended, and was to at $deadline"
wait_until 5 session_state_is "$SID" FREE
daemon_restart kill
same_outage
expect_equal '"failingIO"' "$(shown .status.recoveryState)"
is_about "$(shown .status.sinceUnixSeconds)" "$deadline" 0.1

target_restart "$TARGET"
expect_exit 0 iscsi-admin recovery --wait --timeout 40
is_about "$(shown .recovery.lastOutage.sinceUnixSeconds)" "$since" 0.1
expect_equal null "$(shown .recovery.outage)"
expect_equal null "$(jq .outage "$record")"
check_data "$DISK" 1

expect_exit 0 iscsi-admin logout "$IQN"

echo '--- the cable is pulled: what the network suffers from is known on'
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --replacement-timeout 600 --noop-interval 1 --noop-timeout 2
SID=$(sid_of "$IQN") DISK=$(disk_of "$IQN")
record=$DAEMON_SESSIONS/$SID.established
link_down 0
wait_until 20 session_state_is "$SID" FAILED
network_is_known() { [[ $(outage .network) == '"san0 is'* ]]; }
wait_until 10 network_is_known
network=$(outage .network) cause=$(outage .cause) since=$(outage .sinceUnixSeconds)
daemon_restart kill
expect_equal "$network" "$(outage .network)"
expect_equal "$cause" "$(outage .cause)"
is_about "$(outage .sinceUnixSeconds)" "$since" 0.1
is_about "$(outage .deadlineUnixSeconds)" "$since + 600" 0.1
link_up 0
expect_exit 0 iscsi-admin recovery --wait --timeout 40
expect_equal null "$(jq .outage "$record")"
check_data "$DISK" 1
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
