# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The units under a systemd of its own: started by a connection, sandboxed, watched; a session outlives what systemd does to the daemon.
# kernels: 6.12
# daemon: no
# limit: 120

# shellcheck source=Tests/VM/systemd.sh
source /vm/systemd.sh
UNIT=iscsi-admin.service DROP_INS=/run/systemd/system/$UNIT.d

# lacks PROPERTY=VALUE...: prints those that the service does not have.
lacks() {
  systemctl show --all $UNIT >"$OUT/properties"
  printf '%s\n' "$@" | grep -vxFf "$OUT/properties" || true
}
has() { [[ -z $(lacks "$@") ]]; }
expect_properties() { expect_equal '' "$(lacks "$@")"; }

signal_daemon() { systemctl kill --kill-who main --signal "$1" $UNIT; }

# expect_untouched: the daemon has the session, which has gone on without a login or another connection.
expect_untouched() {
  monitor_start
  wait_until 20 event_count_is adopted 1
  expect_equal 0 "$(events lost)"
  monitor_stop
  wait_until 20 sessions_are_settled
  expect_equal "$SID" "$(sid_of "$IQN")"
  initiator_connections | diff "$OUT/connections" - || fail 'there are other connections than before'
  expect_equal "$LOGINS" "$(lio_logins)"
  io_goes_on
}
# remember_connection: the one that expect_untouched expects.
remember_connection() {
  initiator_connections >"$OUT/connections"
  LOGINS=$(lio_logins)
}

target_start lio
modprobe -r iscsi_tcp
# A machine on which nothing is configured yet.
mv /etc/iscsi "$WORK/iscsi"
systemd_start

echo '--- started by a connection, with the kernel driver that it loads'
expect_exit 0 systemctl start iscsi-admin.socket
expect_properties ActiveState=inactive
run timeout $((30 * PATIENCE)) iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
expect_sessions 0
expect_equal drwxr-xr-x "$(stat -c %A /etc/iscsi)"
cp -a "$WORK/iscsi/." /etc/iscsi/
# A service that never becomes ready leaves its client waiting.
expect_exit 0 timeout $((30 * PATIENCE)) iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
SID=$(sid_of "$IQN")
# The daemon is what is to be busy, not the machine.
io_start "$(disk_of "$IQN")" --workers 2 --size 2 --pause 10
expect_properties ActiveState=active SubState=running NRestarts=0 WatchdogUSec=30s DropInPaths=
remember_connection

echo '--- what it may and has'
# CAP_DAC_OVERRIDE 1, CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_IPC_LOCK 14, CAP_SYS_MODULE 16, CAP_SYS_ADMIN 21, CAP_SYS_NICE 23, CAP_SYS_RESOURCE 24
capabilities=$(printf '%016x' $((1 << 1 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 16 | 1 << 21 | 1 << 23 | 1 << 24)))
process=$(sed -n 's/^MainPID=//p' "$OUT/properties")
inside cat "/proc/$process/status" >"$OUT/process"
for line in Cap{Prm,Eff,Bnd}:"$capabilities" NoNewPrivs:1 Seccomp:2; do
  tr -d '\t' <"$OUT/process" | grep -qx "$line" || fail "the daemon has not $line: $(grep "^${line%%:*}" "$OUT/process")"
done
! grep -q 'VmLck:[[:space:]]*0 kB' "$OUT/process" || fail 'no memory is locked'
expect_equal -1000 "$(inside cat "/proc/$process/oom_score_adj")"
expect_equal -10 "$(inside cat "/proc/$process/stat" | cut -d ' ' -f 19)"
# PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE, of each thread: what it allocates waits for no disk that it may be to bring back.
for thread in $(inside sh -c "cat /proc/$process/task/*/stat 2>/dev/null; true" | sed 's/.*) //' | cut -d ' ' -f 7); do
  (((thread & 0x180000) == 0x180000)) || fail "a thread is no flusher of I/O: its flags are $thread"
done
# Threads come and go while they are looked at.
threads=$(inside sh -c "cat /proc/$process/task/*/comm 2>/dev/null; true")
[[ $'\n'$threads$'\n' == *$'\niscsi-netlink\n'* ]] || fail "there is no thread of the link: $threads"
expect_equal srw------- "$(stat -c %A "$DAEMON_SOCKET")"
# A measure that its sandbox refuses is a warning.
expect_equal '' "$(journal --unit $UNIT --priority warning)"

echo '--- what it sets, of session and disk'
expect_exit 0 iscsi-admin set "$SID" replacement-timeout=170 device-timeout=77
expect_equal '170 77' "$(cat "$(session_of "$IQN")/recovery_tmo" "/sys/block/$(disk_of "$IQN")/device/timeout" | paste -sd ' ')"

echo '--- what a repeated discovery finds is kept'
repeat() {
  expect_exit 0 iscsi-admin discovery set "$TARGET_ADDRESS" "discovery.sendtargets.use_discoveryd=$1" \
    discovery.sendtargets.discoveryd_poll_inval=1
}
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
rm -r /etc/iscsi/nodes
# As versions before 2.1.5 have made it: nobody may enter it without the right to.
chmod 600 /etc/iscsi/send_targets
repeat Yes
wait_until 20 test -e "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1/default"
repeat No
has_ended() { journal --unit $UNIT | grep -q 'not repeated any more'; }
wait_until 20 has_ended
expect_equal '' "$(journal --unit $UNIT --priority warning)"
expect_sessions 1

echo '--- restarted, with a watchdog that is waited for less long'
mkdir -p "$DROP_INS"
printf '[Service]\nWatchdogSec=%d\n' $((5 * PATIENCE)) >"$DROP_INS/watchdog.conf"
systemctl daemon-reload
expect_exit 0 systemctl restart $UNIT
expect_properties NRestarts=0 "DropInPaths=$DROP_INS/watchdog.conf"
expect_untouched

echo '--- killed'
signal_daemon KILL
# No client of ours asks meanwhile: a connection would start the service as well.
wait_until 20 has NRestarts=1 ActiveState=active
expect_untouched

echo '--- stuck'
signal_daemon STOP
wait_until 30 has NRestarts=2 ActiveState=active
journal --unit $UNIT | grep -q 'Watchdog timeout' || fail 'the watchdog did not bark'
expect_untouched

echo '--- the target dies and comes back'
outage_begins target_kill lio
outage_ends target_restart lio
expect_whole 1
expect_equal "$SID" "$(sid_of "$IQN")"
remember_connection
! journal --unit $UNIT | grep -i 'not permitted\|denied\|EPERM' || fail 'the sandbox is too narrow'

echo '--- the socket unit is stopped, as by a conflict with that of open-iscsi: the daemon is found all the same'
first=$(stat -c %i "$DAEMON_SOCKET")
expect_exit 0 systemctl stop iscsi-admin.socket
wait_until 5 test -S "$DAEMON_SOCKET"
[[ $first != "$(stat -c %i "$DAEMON_SOCKET")" ]] || fail 'systemd has left the socket where it was'
expect_equal srw------- "$(stat -c %A "$DAEMON_SOCKET")"
expect_exit 0 iscsi-admin recovery
journal --unit $UNIT | grep -q 'control.sock was taken away' || fail 'the daemon says nothing of it'
expect_exit 0 systemctl restart $UNIT
expect_untouched
expect_exit 0 systemctl is-active iscsi-admin.socket

echo '--- stopped'
expect_exit 0 systemctl stop $UNIT iscsi-admin.socket
expect_properties Result=success
[[ ! -e $DAEMON_SOCKET ]] || fail 'the socket is still there'
expect_equal '' "$(pidof iscsi-admin || true)"
[[ -n $(ls "$DAEMON_SESSIONS") ]] || fail 'the record of the session is gone'
io_goes_on
expect_equal "$SID" "$(sid_of "$IQN")"

echo '--- enabled'
expect_exit 0 systemctl enable --now $UNIT
expect_equal $'enabled\nenabled' "$(systemctl is-enabled $UNIT iscsi-admin.socket)"
expect_untouched
expect_properties NRestarts=0
io_expect_clean
expect_exit 0 iscsi-admin logout "$IQN"
expect_silent_stderr

echo '--- logs in at boot to what the records say'
expect_exit 0 systemctl start iscsi-admin-login.service
expect_sessions 0
expect_exit 0 systemctl stop iscsi-admin-login.service
expect_exit 0 iscsi-admin node set "$IQN" node.startup=automatic
expect_exit 0 systemctl start iscsi-admin-login.service
expect_sessions 1
# What is there already is no failure, and neither start nor stop disturbs it.
SID=$(sid_of "$IQN")
expect_exit 0 systemctl restart iscsi-admin-login.service
expect_exit 0 systemctl stop iscsi-admin.socket
expect_exit 0 systemctl is-active iscsi-admin-login.service
expect_exit 0 systemctl stop iscsi-admin-login.service
expect_equal "$SID" "$(sid_of "$IQN")"
expect_exit 0 iscsi-admin logout "$IQN"
expect_exit 0 systemctl stop $UNIT iscsi-admin.socket
expect_nothing_left
