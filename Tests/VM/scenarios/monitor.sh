# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What happens to sessions is told as it happens, with numbers to go on from, also over a restart of the daemon.
# targets: tgt
# limit: 90

target_start tgt
monitor_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
target_kill tgt
wait_until 10 has_event lost
sleep 1
target_restart tgt
wait_until 20 has_event recovered
expect_exit 0 iscsi-admin logout "$IQN"
wait_until 5 has_event loggedOut
cp "$OUT/events" "$OUT/stdout"
cat "$OUT/stdout"
expect_stdout '"kind": *"loggedIn"'
jq --exit-status -n '[inputs] | ([.[].sequence] | . == (sort | unique)) and all(.[]; .time > 1700000000 and .target != "" and .message != "")' \
  "$OUT/events" >/dev/null || fail 'an event lacks something'
jq --exit-status -n '[inputs | select(.kind == "recovered")] | length == 1 and (.[0] | .attempt >= 1 and .outageSeconds > 0.5)' \
  "$OUT/events" >/dev/null || fail 'the recovery is not told as it should be'
jq --exit-status -n '[inputs | select(.kind == "lost")] | .[0].kernelError != null' "$OUT/events" >/dev/null || fail 'no error of the kernel'
last=$(jq -n '[inputs][-1].sequence' "$OUT/events")

# A client that was away while the daemon was started anew, and is told so at once, though nothing has happened since.
daemon_restart kill
watch_after() {
  iscsi-admin watch --json --after "$1" >"$OUT/resumed" 2>"$OUT/resumed.log" &
  resumed=$!
}
# resumed_has KIND...: these are the kinds so far.
resumed_has() { [[ $(jq -r .kind "$OUT/resumed" | xargs) == "$*" ]]; }
watch_after "$last"
wait_until 10 resumed_has missed
wait_until 10 has_event missed
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
wait_until 15 event_count_is loggedIn 2
wait_until 5 resumed_has missed loggedIn
kill "$resumed"
wait "$resumed" || true
# Between two calls nothing is missed, and the numbers have grown all the time.
last=$(jq -n '[inputs][-1].sequence' "$OUT/resumed")
expect_exit 0 iscsi-admin logout "$IQN"
watch_after "$last"
wait_until 5 resumed_has leaving loggedOut
kill "$resumed"
wait "$resumed" || true
wait_until 5 event_count_is loggedOut 2
jq --exit-status -n '[inputs.sequence] | . == (sort | unique)' "$OUT/events" >/dev/null || fail 'the numbers do not grow'
# A number that is ahead of the daemon's, as after the clock was set back: all that it has is told.
watch_after 9000000000000000
wait_until 10 resumed_has missed loggedIn leaving loggedOut
kill "$resumed"
wait "$resumed" || true
monitor_stop
