# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Logout from a target that does not answer any more: ends in time, removes everything, and says that the target was not told.
# kernels: 6.12
# limit: 170

# The removal of a disk whose I/O waits for ever is given up after 30 s: no hang, but longer than the machine lets tasks sleep.
hung_task_timeout=$(</proc/sys/kernel/hung_task_timeout_secs)
echo 60 >/proc/sys/kernel/hung_task_timeout_secs

# logout MILLISECONDS: of the only session, whose target is dead.
logout() {
  expect_exit 0 iscsi-admin logout "$IQN" --timeout 3
  expect_stdout "logged out of $IQN"
  expect_stderr 'was not told'
  expect_within "$1"
  expect_nothing_left
  [[ ! -e /sys/block/$disk ]] || fail "$disk is still there"
}
# The kernel finds out within two seconds.
noop=(--noop-interval 1 --noop-timeout 1)
state_is() { [[ $(<"$(session_of "$IQN")/state") == "$1" ]]; }

for timeout in 0 2 -1; do
  echo "--- replacement timeout $timeout"
  # Killed: its connections are reset.
  target_start tgt
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --replacement-timeout "$timeout" "${noop[@]}"
  disk=$(disk_of "$IQN")
  tgt_stop
  # Without end the I/O waits; after the timeout it fails.
  if [[ $timeout == -1 ]]; then wait_until 10 state_is FAILED; else wait_until 10 state_is FREE; fi
  logout 5000

  # Silence on the path with writes under way; not noticed yet when the logout comes.
  target_start tgt
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --replacement-timeout "$timeout" "${noop[@]}"
  disk=$(disk_of "$IQN")
  dd if=/dev/zero of="/dev/$disk" bs=64k oflag=direct >/dev/null 2>&1 &
  writer=$!
  sleep 0.3
  path_cut 0
  sleep 0.3
  # I/O that waits for ever holds the removal of the disk up until we give up on it, after 30 s.
  if [[ $timeout == -1 ]]; then logout 40000; else logout 15000; fi
  # The writer ends, with an error.
  ended() { [[ ! -e /proc/$writer ]] || grep -q '^State:.Z' "/proc/$writer/status"; }
  wait_until 5 ended
  path_restore 0
  tgt_stop
done

# All of several sessions at a time, while the target is frozen.
for number in 1 2 3; do target_start tgt --name "$IQN-$number"; done
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all --replacement-timeout 1 "${noop[@]}"
expect_sessions 3
killall -STOP tgtd
expect_exit 0 iscsi-admin logout --all --timeout 3
expect_equal 3 "$(grep -c 'was not told' "$OUT/stderr")"
expect_within 20000
expect_nothing_left
killall -CONT tgtd
echo "$hung_task_timeout" >/proc/sys/kernel/hung_task_timeout_secs
