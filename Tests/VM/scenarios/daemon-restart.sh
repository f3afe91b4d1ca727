# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon ends, is killed or upgraded with 64 sessions under load: they go on untouched, the next one has them all and recovers them.
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
# upgrade: another file takes the program's place while the daemon runs, as a package manager does it, and then the daemon ends.
upgrade() {
  local program
  program=$(readlink -f "$(command -v iscsi-admin)")
  cp "${NEWER:-$program}" "$program.new"
  mv "$program.new" "$program"
  [[ $(readlink "/proc/$(daemon_pid)/exe") != "$program" ]] || fail 'the daemon runs from the file that has come'
  daemon_restart stop
}
for way in stop kill upgrade kill stop; do
  if [[ $way == upgrade ]]; then upgrade; else daemon_restart $way; fi
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
echo "longest gap: $before ms before, $after ms with five restarts"
((after < before + 1000 * ${PATIENCE:-1})) || fail 'I/O stood still'

# The last daemon can do what the first could.
target_kill lio
wait_until 20 all_sessions_are FAILED $count
target_restart lio
expect_whole $count
io_expect_clean
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
