# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's units for open-iscsi and the scripts that they call work unchanged with our executable: at boot, restarted, and stopped.
# kernels: 6.12
# daemon: no
# limit: 150

# shellcheck source=Tests/VM/systemd.sh
source /vm/systemd.sh
# shellcheck source=Tests/VM/debian.sh
source /vm/debian.sh

# main_process UNIT: the number that systemd has of it, where numbers are systemd's.
main_process() { systemctl show --property MainPID --value "$1"; }
# lacks UNIT PROPERTY=VALUE...: prints those that the unit does not have.
lacks() {
  local unit=$1
  shift
  systemctl show --all "$unit" >"$OUT/properties"
  printf '%s\n' "$@" | grep -vxFf "$OUT/properties" || true
}
has_unit() { [[ -z $(lacks "$@") ]]; }
expect_unit() { expect_equal '' "$(lacks "$@")"; }
# boot: systemd, with what the package enables.
boot() {
  mkdir -p $UNITS/{sockets,sysinit}.target.wants
  ln -s /lib/systemd/system/iscsid.socket $UNITS/sockets.target.wants/
  ln -s /lib/systemd/system/open-iscsi.service $UNITS/sysinit.target.wants/
  systemd_start
}
# expect_daemon: iscsid.service runs, and its pid file and `pidof` tell of the same process.
expect_daemon() {
  expect_unit iscsid.service ActiveState=active SubState=running Result=success
  expect_equal "$(main_process iscsid.service)" "$(</run/iscsid.pid)"
  expect_equal "$(main_process iscsid.service)" "$(inside pidof iscsid)"
}
mount_inside() {
  mkdir -p "$2"
  inside mount -t ext4 "/dev/$1" "$2"
}
is_mounted() { inside grep -q " $1 " /proc/self/mountinfo; }

target_start tgt
target_start tgt --name "$IQN-2"
debian_install
# As the package leaves it where nobody has made a name.
echo GenerateName=yes >/etc/iscsi/initiatorname.iscsi
boot
expect_unit iscsid.socket ActiveState=active SubState=listening
expect_unit iscsid.service ActiveState=inactive
# There is no record yet.
expect_unit open-iscsi.service ActiveState=inactive ConditionResult=no

echo '--- the first name'
expect_exit 0 systemctl start iscsid.service
expect_daemon
name=$(sed -n 's/^InitiatorName=//p' /etc/iscsi/initiatorname.iscsi)
expect_match '^iqn\.1993-08\.org\.debian:01:[0-9a-f]{12}$' "$name"
expect_exit 0 systemctl stop iscsid.service
[[ ! -e /run/iscsid.pid ]] || fail 'the pid file is still there'
expect_unit iscsid.socket ActiveState=active SubState=listening

echo '--- records, and the daemon when it is asked for'
expect_exit 0 inside iscsiadm -m discovery -t st -p "$TARGET_ADDRESS"
expect_exit 0 inside iscsiadm -m node -T "$IQN" -o update -n node.startup -v automatic
expect_exit 0 systemctl start open-iscsi.service
expect_unit open-iscsi.service ActiveState=active SubState=exited Result=success
expect_daemon
expect_sessions 1
expect_equal "$name" "$(<"$(session_of "$IQN")/initiatorname")"
disk=$(disk_of "$IQN")
check_data "$disk" 1

sid=$(sid_of "$IQN")
process=$(main_process iscsid.service)
initiator_connections >"$OUT/connections"
# expect_untouched: another daemon has the session, which has gone on as it was.
expect_untouched() {
  expect_exit 0 inside iscsiadm -m session -P 1
  expect_stdout 'Internal iscsid Session State: NO CHANGE'
  expect_silent_stderr
  expect_daemon
  [[ $process != "$(main_process iscsid.service)" ]] || fail 'it is the same process'
  process=$(main_process iscsid.service)
  expect_equal "$sid" "$(sid_of "$IQN")"
  initiator_connections | diff "$OUT/connections" - || fail 'there are other connections than before'
  check_data "$disk" 1
}

echo '--- iscsid restarted'
expect_exit 0 systemctl restart iscsid.service
expect_untouched

echo '--- iscsid killed: the unit leaves it dead until it is asked for'
systemctl kill --signal KILL iscsid.service
wait_until 10 has_unit iscsid.service ActiveState=failed
expect_untouched

echo '--- nor is there a socket: iscsid.conf says how to get one'
expect_exit 0 systemctl stop iscsid.socket iscsid.service
expect_untouched
expect_unit iscsid.socket ActiveState=active

echo '--- stopped, with a file system on the disk'
make_file_system "$disk"
mount_inside "$disk" "$WORK/mounted"
expect_exit 0 systemctl stop open-iscsi.service
expect_unit open-iscsi.service ActiveState=inactive Result=success
! is_mounted "$WORK/mounted" || fail 'the file system is still mounted'
expect_nothing_left
expect_daemon

echo '--- stopped, with a file system that is to stay'
expect_exit 0 inside iscsiadm -m node -T "$IQN-2" -o update -n node.startup -v automatic
expect_exit 0 systemctl start open-iscsi.service
expect_sessions 2
sid=$(sid_of "$IQN")
mount_inside "$(disk_of "$IQN")" "$WORK/mounted"
echo "EXCLUDE_MOUNTS_AT_SHUTDOWN=$WORK/mounted" >>/etc/default/open-iscsi
expect_exit 0 inside /lib/open-iscsi/umountiscsi.sh --dry-run
expect_stdout "/session$sid\$"
expect_exit 0 systemctl stop open-iscsi.service
expect_unit open-iscsi.service ActiveState=inactive Result=success
expect_sessions 1
is_mounted "$WORK/mounted" || fail 'the file system is not mounted any more'
expect_equal "$sid" "$(sid_of "$IQN")"
inside umount "$WORK/mounted"

echo '--- the next boot, with a session that is there and one that is not'
systemd_end
expect_sessions 1
boot
expect_unit open-iscsi.service ActiveState=active SubState=exited Result=success
expect_daemon
expect_sessions 2
expect_equal "$sid" "$(sid_of "$IQN")"
sed -i '/^EXCLUDE_MOUNTS/d' /etc/default/open-iscsi
expect_exit 0 systemctl stop open-iscsi.service
expect_exit 0 systemctl stop iscsid.service iscsid.socket
expect_nothing_left
