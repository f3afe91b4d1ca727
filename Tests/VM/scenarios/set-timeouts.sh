# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Timeouts are set in records, sessions and disks; sysfs has them, also after somebody has written it by hand, and profiles hold.
# targets: tgt lio

target_start "$TARGET"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
sid=$(sid_of "$IQN") session=$(session_of "$IQN") connection=$(connection_of "$IQN") disk=$(disk_of "$IQN")
device=/sys/block/$disk/device host=$(basename "$(readlink -f "$session/device/..")")
deadline=/sys/class/scsi_host/$host/eh_deadline

# kernel: what it has, in the order of the chain, in one line.
kernel() {
  cat "$connection"/{recv_tmo,ping_tmo} "$session"/{recovery_tmo,abort_tmo,lu_reset_tmo,tgt_reset_tmo} "$device"/{timeout,eh_timeout} | paste -sd ' '
}
scheduler() { sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/$disk/queue/scheduler"; }
# record KEY: its value in the record.
record() { iscsi-admin node show "$IQN" --json | jq -r ".nodes[0].settings[\"$1\"] // empty"; }

standard=$(scheduler)

echo '--- all at once, in record, session and disk'
before=$(kernel)
all=(noop-interval=3 noop-timeout=4 replacement-timeout=33 login-timeout=12 logout-timeout=13 device-timeout=21 abort-timeout=9
  lu-reset-timeout=10 target-reset-timeout=11 device-eh-timeout=7)
expect_exit 0 iscsi-admin set "$sid" "${all[@]}" --dry-run
expect_stdout 'would be changed'
expect_equal "$before" "$(kernel)"
expect_exit 0 iscsi-admin set "$sid" "${all[@]}"
expect_equal '3 4 33 9 10 11 21 7' "$(kernel)"
expect_equal '33 12 13 3' "$(record node.session.timeo.replacement_timeout) $(record 'node.conn[0].timeo.login_timeout') $(record 'node.conn[0].timeo.logout_timeout') $(record 'node.conn[0].timeo.noop_out_interval')"
expect_exit 0 iscsi-admin set "$sid" "${all[@]}" --json
expect_json '[.settings[].outcome] | unique == ["unchanged"]'
expect_exit 0 iscsi-admin set --target "$IQN" --live io-scheduler=none replacement-timeout=off
expect_equal 'none off 33' "$(scheduler) $(<"$session/recovery_tmo") $(record node.session.timeo.replacement_timeout)"
# A trial promises what the kernel takes, and no more.
for one in mq-deadline kyber bfq none; do
  status=0
  iscsi-admin set --target "$IQN" --live "io-scheduler=$one" --dry-run >/dev/null 2>&1 || status=$?
  expect_exit "$status" iscsi-admin set --target "$IQN" --live "io-scheduler=$one"
done
expect_exit 0 iscsi-admin set --all --record node.session.timeo.replacement_timeout=44
expect_equal 'off 44' "$(<"$session/recovery_tmo") $(record node.session.timeo.replacement_timeout)"

echo '--- what cannot be changes nothing'
before=$(kernel)
expect_exit 7 iscsi-admin set "$sid" replacement-timeout=5 device-timeout=0
expect_exit 7 iscsi-admin set "$sid" replacement-timeout=5 noop-interval=off
expect_exit 7 iscsi-admin set "$sid" --live replacement-timeout=5 login-timeout=9
expect_exit 7 iscsi-admin set "$sid" --record replacement-timeout=5 device-timeout=9
expect_exit 2 iscsi-admin set "$sid" 4711 replacement-timeout=5
expect_exit 21 iscsi-admin set "$IQN-none" replacement-timeout=5
expect_equal "$before 44" "$(kernel) $(record node.session.timeo.replacement_timeout)"
# iscsi_tcp has no host reset, and the kernel takes no deadline for it.
expect_exit 1 iscsi-admin set "$sid" host-eh-deadline=60 abort-timeout=8
expect_stderr 'no host reset'
expect_equal 'off 8' "$(<"$deadline") $(<"$session/abort_tmo")"

echo '--- during a recovery, kept by the daemon and by the next one'
target_kill "$TARGET"
wait_until 20 session_state_is "$sid" FAILED
expect_exit 0 iscsi-admin set "$sid" --live noop-interval=6 replacement-timeout=77 abort-timeout=12 device-timeout=22 --json
expect_json '[.settings[] | "\(.setting) \(.outcome) \(.note)"] == ["noop-interval atNextLogin whenBack",
  "replacement-timeout changed afterOutage", "abort-timeout atNextLogin whenBack", "device-timeout changed null"]'
expect_equal '3 4 77 8 10 11 22 7' "$(kernel)"
daemon_restart kill
expect_exit 0 iscsi-admin session show "$IQN" --verbose
expect_stdout '^ *Set when it is back +noop-interval 6, replacement-timeout 77, abort-timeout 12$'
expect_exit 0 iscsi-admin set "$sid" --live lu-reset-timeout=14
expect_stdout 'when the session is back'
target_restart "$TARGET"
wait_until 60 session_state_is "$sid" LOGGED_IN
kernel_is() { [[ $(kernel) == "$1" ]]; }
wait_until 10 kernel_is '6 4 77 12 14 11 22 7'
expect_exit 0 iscsi-admin set "$sid" --live noop-interval=3 abort-timeout=8 lu-reset-timeout=10 device-timeout=21

echo '--- written by hand, after which the kernel ignores requests'
echo 55 >"$session/recovery_tmo"
expect_exit 0 iscsi-admin set "$sid" --live replacement-timeout=66 --json
expect_json '.settings[0] | .old == "55" and .outcome == "changed" and .note == "handWritten"'
expect_equal 66 "$(<"$session/recovery_tmo")"
target_kill "$TARGET"
wait_until 20 session_state_is "$sid" FAILED
expect_exit 0 iscsi-admin set "$sid" --live replacement-timeout=67 --json
expect_json '.settings[0] | .old == "66" and .outcome == "atNextLogin" and .note == "whenBack"'
expect_equal 66 "$(<"$session/recovery_tmo")"
target_restart "$TARGET"
wait_until 60 session_state_is "$sid" LOGGED_IN
recovery_is() { [[ $(<"$session/recovery_tmo") == "$1" ]]; }
wait_until 10 recovery_is 67

echo '--- a disk that comes later, found by the daemon, and by the next one'
address=$(basename "$(readlink -f "$device")")
renewed() {
  echo 1 >"/sys/bus/scsi/devices/$address/delete"
  [[ $1 == rescan ]] || daemon_restart "$1"
  expect_exit 0 iscsi-admin session rescan "$sid"
  disk=$(disk_of "$IQN") device=/sys/block/$(disk_of "$IQN")/device
}
renewed rescan
expect_equal '21 7 none' "$(<"$device/timeout") $(<"$device/eh_timeout") $(scheduler)"
renewed kill
expect_equal '21 7 none' "$(<"$device/timeout") $(<"$device/eh_timeout") $(scheduler)"

echo '--- profiles'
expect_exit 21 iscsi-admin tune --profile diskless --root
rules=/etc/udev/rules.d/61-iscsi-admin.rules
expect_exit 0 iscsi-admin tune --profile multipath "$IQN"
expect_equal '5 5 5 8 10 11 30 7' "$(kernel)"
mkswap "/dev/$disk" >/dev/null
swapon "/dev/$disk"
expect_exit 0 iscsi-admin tune --profile diskless --root --persist --dry-run
expect_equal '5 5 5 8 10 11 30 7' "$(kernel)"
[[ ! -e $rules ]] || fail 'a dry run has written rules'
expect_exit 0 iscsi-admin tune --profile diskless --root --persist --json
expect_json '.verified and .rules.changed and .profile == "diskless"'
swapoff "/dev/$disk"
expect_equal '0 0 86400 8 10 11 90 7 none' "$(kernel) $(scheduler)"
expect_equal '86400 0' "$(record node.session.timeo.replacement_timeout) $(record 'node.conn[0].timeo.noop_out_interval')"
grep -q "iscsi-$IQN-lun-" $rules || fail 'there is no rule for the target'
echo '# mine' >$rules
expect_exit 15 iscsi-admin tune --profile default "$sid" --persist
expect_equal '86400' "$(<"$session/recovery_tmo")"
rm $rules
# Their NOP-Outs begin with the next login.
expect_exit 0 iscsi-admin tune --profile default "$sid"
expect_stdout 'at the next login'
expect_equal '5 5 120 8 10 11 30 7' "$(kernel)"
# What the daemon had set is undone, also for disks that come later.
expect_equal "$standard" "$(scheduler)"
renewed rescan
expect_equal "$standard" "$(scheduler)"

expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
