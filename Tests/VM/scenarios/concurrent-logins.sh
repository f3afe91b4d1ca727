# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Fifty logins to one target at once end in one session and 49 refusals; logouts of one session at once all end well or find none.
# targets: tgt lio
# kernels: 6.12
# limit: 300
# processors: 2
# clock: host

target_start "$TARGET"
# ended FILE: how often which status, as "count status" pairs in one line.
ended() { sort "$1" | uniq -c | awk '{ printf "%s%sx%s", (NR > 1 ? " " : ""), $1, $2 }'; }
processes=()
for ((number = 1; number <= 50; number++)); do
  { status=0; iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 60 >"$OUT/login-$number" 2>&1 || status=$?; echo $status >"$WORK/status-$number"; } &
  processes+=($!)
done
wait "${processes[@]}"
cat "$WORK"/status-* >"$OUT/statuses"
expect_equal '1x0 49x15' "$(ended "$OUT/statuses")"
expect_whole 1
check_data "$(disk_of "$IQN")" 1
rm "$WORK"/status-*
processes=()
for ((number = 1; number <= 10; number++)); do
  { status=0; iscsi-admin logout "$IQN" >"$OUT/logout-$number" 2>&1 || status=$?; echo $status >"$WORK/status-$number"; } &
  processes+=($!)
done
wait "${processes[@]}"
cat "$WORK"/status-* >"$OUT/statuses"
echo "logouts: $(ended "$OUT/statuses")"
# Some join another's that is under way, and some find no session, whether they saw one before or not.
expect_match '^[0-9]+x0( [0-9]+x21)?$' "$(ended "$OUT/statuses")"
expect_nothing_left
