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
daemon_restart kill
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
logged_in_twice() { (($(events loggedIn) == 2)); }
wait_until 15 logged_in_twice
expect_exit 0 iscsi-admin logout "$IQN"
monitor_stop
