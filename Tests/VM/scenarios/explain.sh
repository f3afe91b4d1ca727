# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is the matter with a session is found out: a wrong CHAP secret, a portal that refuses, a link that is down, error handling at work.
# targets: tgt
# kernels: 6.12
# limit: 150

# explained SUBJECT RULE...: soon these rules, and no other, find a problem.
explained() {
  local subject=$1
  shift
  iscsi-admin explain "$subject" --json >"$OUT/explanation" || return 1
  [[ $(jq -r '[.subjects[].findings[] | select(.severity == "problem") | .rule] | unique | join(" ")' "$OUT/explanation") == "$*" ]]
}

target_start tgt --user alice --secret wonderland12
monitor_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}" --user alice --password-file "$(password_file wonderland12)"
SID=$(sid_of "$IQN")
DISK=$(disk_of "$IQN")
make_file_system "$DISK"
mkdir -p "$WORK/mnt"
mount "/dev/$DISK" "$WORK/mnt"
for subject in "$SID" "$IQN" "$DISK" "/dev/$DISK" "$WORK/mnt"; do
  expect_exit 0 iscsi-admin explain "$subject" --json
  expect_json ".subjects | length == 1 and (.[0] | .session == $SID and .recoveryState == \"operational\" and .io == \"flows\" and all(.findings[]; .severity == \"note\"))"
done
expect_exit 2 iscsi-admin explain 4711
expect_exit 21 iscsi-admin explain /proc

echo '--- another secret'
tgtadm_iscsi --op unbind --mode account --tid 1 --user alice
tgtadm_iscsi --op delete --mode account --user alice
tgtadm_iscsi --op new --mode account --user alice --password lookingglass12
tgtadm_iscsi --op bind --mode account --tid 1 --user alice
reset_connections
wait_until 20 explained "$SID" chap-wrong
expect_exit 0 iscsi-admin explain "$WORK/mnt"
expect_stdout 'PROBLEM  authentication fails: .*0201'
expect_stdout "> iscsi-admin node set $IQN node.session.auth.username=NAME node.session.auth.password=@FILE"
expect_no_secret wonderland12

echo '--- nobody listens'
target_kill tgt
wait_until 20 explained "$SID" portal-refuses
jq --exit-status '.subjects[0].findings | any(.rule == "retry-clock")' "$OUT/explanation" >/dev/null || fail 'no clock of retries'

echo '--- no link'
link_down 0
wait_until 20 explained "$SID" link-down
expect_exit 0 iscsi-admin explain "$SID"
expect_stdout 'PROBLEM  the network device towards 10.0.0.1:3260, san0, is without carrier'
link_up 0
target_restart tgt
wait_until 30 session_state_is "$SID" LOGGED_IN
wait_until 5 explained "$SID"

echo '--- a path of multipath'
umount "$WORK/mnt"
modprobe -a dm_multipath dm_round_robin
table="0 $(($(disk_size "$DISK") / 512)) multipath 1 queue_if_no_path 0 1 1 round-robin 0 1 1 /dev/$DISK 1"
dmsetup create mpatha --noudevsync --uuid mpath-test --table "$table"
expect_exit 0 iscsi-admin explain mpatha
expect_stdout 'WARNING  I/O of a dead path waits 90 s before multipath takes another one'
expect_stdout 'mpatha has queue_if_no_path'
expect_exit 0 iscsi-admin session show "$SID" --verbose
expect_stdout '^ *Path of multipath map +.*mpatha'
expect_stdout '^ *Held by +.*mpatha'
dmsetup message mpatha 0 fail_if_no_path
expect_exit 0 iscsi-admin explain "$SID"
expect_stdout 'mpatha does not queue I/O without a path'
dmsetup remove --noudevsync mpatha

# finds RULE: the rule finds something about the disk.
finds() { iscsi-admin explain "$DISK" --json | jq --exit-status --arg rule "$1" '.subjects[0].findings | any(.rule == $rule)'; }
# read_frozen: a read goes to a target that hangs.
read_frozen() {
  target_freeze tgt
  dd if="/dev/$DISK" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
}

echo '--- a target that hangs, without NOP-Outs that would notice'
expect_exit 0 iscsi-admin session set "$SID" --noop-interval 0 --noop-timeout 0 --abort-timeout 2
read_frozen
wait_until 20 finds io-stuck
expect_exit 0 iscsi-admin explain "$DISK"
expect_stdout "WARNING  I/O of $DISK does not end"
target_thaw tgt
wait $! || true
wait_until 30 explained "$SID"

echo '--- error handling'
echo 2 >"/sys/block/$DISK/device/timeout"
read_frozen
wait_until 20 finds error-handler
expect_exit 0 iscsi-admin explain "$DISK"
expect_stdout 'PROBLEM  commands ran out of time'
target_thaw tgt
wait $! || true
wait_until 30 explained "$SID"

echo '--- without the daemon'
daemon_stop
expect_exit 0 iscsi-admin explain "$SID" --json
expect_json '.subjects[0].findings | any(.rule == "no-daemon" and .severity == "warning")'
# shellcheck disable=SC2119
daemon_start
expect_logged_out
