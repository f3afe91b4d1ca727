# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Each state of a session is told for what it is, with what becomes of I/O until when, and alike by the kernel and by open-iscsi's iscsiadm.
# kernels: 6.12
# targets: tgt
# limit: 150

theirs() { (exec -a iscsiadm /opt/open-iscsi/iscsiadm "$@"); }

# status KEY: of the session's status, as told now.
status() { iscsi-admin session show "$SID" --json | jq ".sessions[0].status.$1"; }
state_is() { [[ $(status recoveryState) == "\"$1\"" ]]; }

# agree STATE IO SESSION HOST [DEVICES]: the session is in this state for us, the kernel's words are these, and open-iscsi prints the same.
agree() {
  local state=$1 io=$2 session=$3 host=$4 devices=${5:-} tree=$OUT/P3-$1
  echo "--- $state"
  expect_exit 0 iscsi-admin session show "$SID" --json
  expect_json ".sessions[0] | .status.recoveryState == \"$state\" and .status.io == $io and .state == \"$session\" and
    .host.state == \"$host\" and (.devices | map(.state) | unique | join(\" \")) == \"$devices\""
  theirs -m session -r "$SID" -P 3 >"$tree" 2>/dev/null
  expect_equal "$session" "$(sed -n 's/.*iSCSI Session State: //p' "$tree")"
  expect_equal "$host" "$(sed -n 's/.*Host Number: .*State: //p' "$tree")"
  expect_equal "$devices" "$(sed -n 's/.*Attached scsi disk .*State: //p' "$tree")"
}

target_start "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --replacement-timeout 20 --noop-interval 0 --noop-timeout 0
SID=$(sid_of "$IQN") DISK=$(disk_of "$IQN")
make_file_system "$DISK"
mkdir -p "$WORK/mount"
mount -o ro "/dev/$DISK" "$WORK/mount"
agree operational '"flows"' LOGGED_IN running running
expect_exit 0 iscsi-admin recovery
expect_silent_stdout

target_kill "$TARGET"
wait_until 5 session_state_is "$SID" FAILED
lost=$EPOCHREALTIME
agree recovering '"waits"' FAILED running blocked
is_about "$(status sinceUnixSeconds)" "$lost" 1
deadline=$(status deadlineUnixSeconds)
is_about "$deadline - $(status sinceUnixSeconds)" 20 0.1
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +recovering .* waits (1?[0-9]|20) s .* $DISK: $WORK/mount .*the kernel reported"
# Without the daemon the state is the same, and nobody knows the deadline.
expect_exit 1 iscsi-admin recovery --json --socket /nowhere
expect_json '.sessions[0].status | .recoveryState == "recovering" and .io == "waits" and .isSupervised == false and
  (has("deadlineUnixSeconds") or has("sinceUnixSeconds") or has("cause") | not)'
# The kernel's timer runs already: another timeout does not move the deadline.
expect_exit 0 iscsi-admin set "$SID" --live replacement-timeout=90
expect_equal 90 "$(<"/sys/class/iscsi_session/session$SID/recovery_tmo")"
expect_exit 1 iscsi-admin recovery "$SID" --wait --timeout 1
is_about "$(status deadlineUnixSeconds)" "$deadline" 0.1

wait_until 25 session_state_is "$SID" FREE
# The kernel's timers of 16 seconds and more end up to two seconds late where it counts 250 ticks a second (kernel/time/timer.c).
is_about "$EPOCHREALTIME" "$deadline + 1" 1.2
agree failingIO '"fails"' FREE running transport-offline
is_about "$(status sinceUnixSeconds)" "$deadline" 0.1
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +failing I/O .* fails "
expect_exit 0 iscsi-admin explain "$SID"
expect_stdout 'the replacement timeout was 20 s at the loss'

iscsi-admin recovery --wait --timeout 30 >"$OUT/waited" 2>&1 &
waiter=$!
target_restart "$TARGET"
wait "$waiter" || fail "the wait for a session that came back ended with $?: $(<"$OUT/waited")"
agree operational '"flows"' LOGGED_IN running running
umount "$WORK/mount"

# Error handling: a command is aborted after 4 s, and 3 s later the session is dropped, which does not help either.
expect_exit 0 iscsi-admin session set "$SID" --abort-timeout 3 --replacement-timeout 60
echo 4 >"/sys/block/$DISK/device/timeout"
target_freeze "$TARGET"
dd if="/dev/$DISK" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
reader=$!
wait_until 20 session_state_is "$SID" FAILED
agree errorHandling '"waits"' FAILED recovery blocked
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +error handling .*waits .*SCSI error handling is at work; the kernel reported SCSI_EH"
expect_exit 0 iscsi-admin session show "$SID" --verbose
expect_stdout "^ *Error handling timers .*$DISK: commands 4 s"
target_thaw "$TARGET"
expect_exit 0 iscsi-admin recovery --wait --timeout 40
wait "$reader" || fail 'I/O that was being aborted failed'
agree operational '"flows"' LOGGED_IN running running
expect_exit 0 iscsi-admin logout "$IQN"

# Up for the kernel, and it waits for the answer to a NOP-Out.
# Bound to a device: its connection is found all the same.
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --noop-interval 4 --noop-timeout 40 --interface-device san0
SID=$(sid_of "$IQN")
target_freeze "$TARGET"
frozen=$EPOCHREALTIME
wait_until 30 state_is suspect
agree suspect '"waits"' LOGGED_IN running running
is_about "$(status sinceUnixSeconds)" "$frozen" 5
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +suspect .* waits .*the target has not answered a NOP-Out yet"
expect_exit 0 iscsi-admin explain "$SID" --json
expect_json '.subjects[0].findings | any(.rule == "target-silent")'
target_thaw "$TARGET"
expect_exit 0 iscsi-admin recovery --wait --timeout 10
agree operational '"flows"' LOGGED_IN running running
expect_exit 0 iscsi-admin session show "$SID" --json
expect_json '.sessions[0].recovery | .recoveries == 0 and (has("silentSinceUnixSeconds") | not)'
# Not asked any more, it is not suspected any more.
target_freeze "$TARGET"
wait_until 30 state_is suspect
expect_exit 0 iscsi-admin set "$SID" noop-interval=0 noop-timeout=0
wait_until 10 state_is operational
target_thaw "$TARGET"
# A device that is given up is not the session's end.
DISK=$(disk_of "$IQN")
echo offline >"/sys/block/$DISK/device/state"
# The target's controller is a device, too, and goes on.
expect_exit 0 iscsi-admin session show "$SID" --json
expect_json '.sessions[0] | .state == "LOGGED_IN" and (.status | .recoveryState == "devicesStopped" and .io == "fails")'
theirs -m session -r "$SID" -P 3 >"$OUT/P3-devicesStopped" 2>/dev/null
expect_equal offline "$(sed -n 's/.*Attached scsi disk .*State: //p' "$OUT/P3-devicesStopped")"
expect_exit 0 iscsi-admin session rescan "$SID"
wait_until 10 state_is operational
# The device of the network on the way is down, and nothing of the session tells; a daemon that starts then finds it, too.
monitor_start
link_down 0
cut=$EPOCHREALTIME
wait_until 10 state_is suspect
agree suspect '"waits"' LOGGED_IN running running
is_about "$(status sinceUnixSeconds)" "$cut" 2
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +suspect +[0-9]+ s +waits "
monitor_stop
daemon_restart kill
monitor_start
wait_until 10 state_is suspect
agree suspect '"waits"' LOGGED_IN running running
expect_exit 1 iscsi-admin recovery
wait_until 5 has_event diagnosed
link_up 0
expect_exit 0 iscsi-admin recovery --wait --timeout 10
wait_until 5 has_event networkWell
monitor_stop
# A logout that waits for the target, which is to take the last data of the disk.
target_freeze "$TARGET"
iscsi-admin logout "$SID" >"$OUT/leaving" 2>&1 &
leaving=$!
devices_are_removed() { ! compgen -G "/sys/class/iscsi_session/session$SID/device/target*/*/state" >/dev/null; }
wait_until 5 devices_are_removed
agree loggingOut null LOGGED_IN running
expect_exit 1 iscsi-admin recovery
expect_stdout "^ *$SID +logging out +[0-9]+ s .*its disks are being removed"
expect_exit 1 iscsi-admin recovery --json --socket /nowhere
expect_json '.sessions[0].status.recoveryState == "loggingOut"'
target_thaw "$TARGET"
wait "$leaving" || fail "a logout that had to wait for the target ended with $?: $(<"$OUT/leaving")"

# A session that goes while somebody waits for it to come back: no wait mends that.
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --noop-interval 0 --noop-timeout 0
SID=$(sid_of "$IQN")
target_kill "$TARGET"
wait_until 5 session_state_is "$SID" FAILED
iscsi-admin recovery "$SID" --wait --timeout 60 >"$OUT/waited" 2>&1 &
waiter=$!
# Its end of the connection that tells it of events has the name of the daemon's socket, as the listening one.
waits() { (($(grep -c "$DAEMON_SOCKET\$" /proc/net/unix) > 1)); }
wait_until 10 waits
expect_exit 0 iscsi-admin logout "$SID"
ended=0
wait "$waiter" || ended=$?
expect_equal 2 "$ended"
grep -q "there is no session $SID" "$OUT/waited" || fail "the wait ended with: $(<"$OUT/waited")"
expect_exit 2 iscsi-admin session show "$SID" --json
# open-iscsi's words for it are ours as iscsiadm.
ended=0
theirs -m session -r "$SID" -P 3 >"$OUT/P3-gone" 2>&1 || ended=$?
ours=0
(exec -a iscsiadm "$(command -v iscsi-admin)" -m session -r "$SID" -P 3) >"$OUT/P3-gone-ours" 2>&1 || ours=$?
expect_equal "$ended $(<"$OUT/P3-gone")" "$ours $(<"$OUT/P3-gone-ours")"
target_restart "$TARGET"

# A target that takes the connection and says nothing.
fake_target 4000 read silent
iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --timeout 30 >/dev/null 2>&1 &
login=$!
is_logging_in() { grep -q bound /sys/class/iscsi_connection/*/state; }
wait_until 5 is_logging_in
SID=$(basename /sys/class/iscsi_session/session*) SID=${SID#session}
agree loggingIn null FREE running
expect_exit 1 iscsi-admin recovery --quiet
expect_equal "$SID" "$(<"$OUT/stdout")"
kill "$login"
wait "$login" || true
wait_until 5 nothing_is_left 4000
fake_target_stop 4000
expect_nothing_left
