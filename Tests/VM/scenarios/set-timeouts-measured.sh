# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is set on a session that is up is what happens: when NOP-Outs find a dead path, and how long I/O waits for it.
# kernels: 6.12
# limit: 120

target_start lio
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --noop-interval 0 --noop-timeout 0
sid=$(sid_of "$IQN") session=$(session_of "$IQN") disk=$(disk_of "$IQN")
state_is() { [[ $(<"$session/state") == "$1" ]]; }
# since MOMENT: milliseconds.
since() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); }
# expect_between LEAST MOST MILLISECONDS WHAT
expect_between() {
  echo "$4: $3 ms"
  (($3 >= $1 && $3 <= $2 * ${PATIENCE:-1})) || fail "$4 after $3 ms, not $1 to $2"
}
back() {
  path_restore 0
  wait_until 30 state_is LOGGED_IN
}
# read_disk: one block past the cache; its end in milliseconds after the start is in $WORK/read, with its status.
read_disk() {
  local started=$EPOCHREALTIME status=0
  dd if="/dev/$disk" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null || status=$?
  echo "$(since "$started") $status" >"$WORK/read"
}

echo '--- NOP-Outs that were off: the kernel takes them, and begins with the next login'
expect_exit 0 iscsi-admin set "$sid" --live noop-interval=1 noop-timeout=2 --json
expect_json '[.settings[] | .outcome] == ["atNextLogin", "atNextLogin"]'
path_cut 0
sleep 5
state_is LOGGED_IN || fail 'the kernel has begun to send NOP-Outs, which is said not to be so'
path_restore 0
reset_connections
recovered() { iscsi-admin session show "$sid" --json | jq -e '.sessions[0].recovery.recoveries > 0'; }
wait_until 20 recovered

echo '--- the NOP-Out goes unanswered: interval and timeout'
cut=$EPOCHREALTIME
path_cut 0
wait_until 20 state_is FAILED
expect_between 1900 5000 "$(since "$cut")" 'found dead with an interval of 1 s and a timeout of 2 s'
back
expect_exit 0 iscsi-admin set "$sid" --live noop-timeout=6
cut=$EPOCHREALTIME
path_cut 0
wait_until 30 state_is FAILED
expect_between 5900 9000 "$(since "$cut")" 'found dead with a timeout of 6 s'
back

echo '--- I/O fails three seconds after the loss, and waits with a day'
expect_exit 0 iscsi-admin set "$sid" --live noop-timeout=1 replacement-timeout=3
path_cut 0
wait_until 20 state_is FAILED
read_disk
read -r time status <"$WORK/read"
((status != 0)) || fail 'a read of a lost session succeeded'
expect_between 2000 4500 "$time" 'failed with a replacement timeout of 3 s'
back
expect_exit 0 iscsi-admin set "$sid" --live replacement-timeout=86400
path_cut 0
wait_until 20 state_is FAILED
rm "$WORK/read"
read_disk &
reader=$!
sleep 6
[[ ! -e $WORK/read ]] || fail 'I/O did not wait'
# A timer that runs is not changed; what is set holds for the next loss.
expect_exit 0 iscsi-admin set "$sid" --live replacement-timeout=1
sleep 3
[[ ! -e $WORK/read ]] || fail 'I/O did not wait any longer, by a timeout that was set after the loss'
back
wait "$reader"
read -r time status <"$WORK/read"
expect_equal 0 "$status"
expect_between 8500 30000 "$time" 'read after the wait'
expect_equal 1 "$(<"$session/recovery_tmo")"
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
