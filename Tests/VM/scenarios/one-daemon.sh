# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One daemon at a time, ours or open-iscsi's; each side is told at once.
# targets: tgt
# limit: 120

target_start tgt
PATH=$PATH:/opt/open-iscsi
expect_exit 28 iscsi-admin daemon
expect_silent_stdout
expect_equal 1 "$(wc -l <"$OUT/stderr")"
expect_within 3000
mkdir -p "$WORK/other"
expect_exit 28 iscsi-admin daemon --runtime-directory "$WORK/other"

# An old iscsiadm needs its own daemon and does not get stuck with ours; an old iscsid does not run beside it.
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
mkdir -p /etc/iscsi /run/lock/iscsi
cp /opt/open-iscsi/iscsid.conf /etc/iscsi/
run timeout 15 iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS"
expect_within 10000
run timeout 15 iscsiadm -m node -T "$IQN-2" -p "$TARGET_ADDRESS" -l
((STATUS != 0 && STATUS != 124)) || fail "an old iscsiadm ended with $STATUS"
expect_within 5000
run timeout 15 iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS" -u
((STATUS != 0 && STATUS != 124)) || fail "an old iscsiadm ended with $STATUS"
run timeout 15 iscsiadm -m session -u
((STATUS != 0 && STATUS != 124)) || fail "an old iscsiadm ended with $STATUS"
expect_sessions 1
run timeout 10 iscsid -f
((STATUS != 0 && STATUS != 124)) || fail "an iscsid beside our daemon ended with $STATUS"
daemon_runs
expect_exit 0 iscsi-admin logout "$IQN"

daemon_stop
# Every user can take the name: that keeps no daemon from its work, nor lets it run twice, and the daemon takes the name as soon as it can.
for how in listen bind; do
  echo "--- a user who can only $how"
  { as_nobody take-name ISCSIADM_ABSTRACT_NAMESPACE "$how" || true; } &
  taken() { ! daemon_name_is_free; }
  wait_until 5 taken
  : >"$OUT/daemon.log"
  has_name() { grep -q 'free again' "$OUT/daemon.log"; }
  daemon_start
  expected='taken by user 65534'
  [[ $how == listen ]] || expected='taken by another process'
  grep -q "warning: the socket name of an iSCSI daemon is $expected.*going on without it" "$OUT/daemon.log" ||
    fail "nothing is said of the name: $(<"$OUT/daemon.log")"
  expect_exit 28 iscsi-admin daemon --runtime-directory "$WORK/other"
  expect_stderr "another iscsi-admin daemon is running \(process $DAEMON_PID\)"
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
  process=$(pidof take-name)
  echo "the name is let go by process $process"
  kill "$process"
  wait_until 10 has_name
  run timeout 10 iscsid -f
  ((STATUS != 0 && STATUS != 124)) || fail "an iscsid beside our daemon ended with $STATUS"
  expect_exit 0 iscsi-admin logout "$IQN"
  daemon_stop
done

start_iscsid
expect_exit 28 iscsi-admin daemon
expect_equal 1 "$(wc -l <"$OUT/stderr")"
expect_stderr iscsid
expect_exit 20 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
stop_iscsid
daemon_start
