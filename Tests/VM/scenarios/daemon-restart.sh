# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon ends or is killed with 64 sessions under load: they go on untouched, the next one has them all and recovers them.
# kernels: 6.12
# limit: 500
# processors: 2

count=64
target_add_many lio $count
lio_share_disk $count 8
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all "${QUICK[@]}" --noop-interval 5 --noop-timeout 10
expect_sessions $count
disks=()
for ((number = 1; number <= count; number++)); do disks+=("$(disk_of "$IQN-$number")"); done
io_start "${disks[@]}" --shared --workers 1 --pause 100
expect_equal $count "$(lio_logins)"
initiator_connections >"$OUT/connections"
expect_equal $count "$(wc -l <"$OUT/connections")"
# As long as a restart takes, and nothing happens: the gap to compare with.
sleep 5
before=$(io_count gap_ms)
for way in stop kill kill stop; do
  daemon_restart $way
  monitor_start
  event_count_at_least() { (($(events "$1") >= $2)); }
  wait_until 20 event_count_at_least adopted $count
  monitor_stop
  expect_equal 0 "$(events lost)"
done
io_goes_on
initiator_connections | diff "$OUT/connections" - || fail 'there are other connections than before'
expect_equal $count "$(lio_logins)"
expect_whole $count
after=$(io_count gap_ms)
echo "longest gap: $before ms before, $after ms with four restarts"
((after < before + 1000 * ${PATIENCE:-1})) || fail 'I/O stood still'

# The last daemon can do what the first could.
target_kill lio
wait_until 20 all_sessions_are FAILED $count
target_restart lio
expect_whole $count
io_expect_clean
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
