# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A shutdown begins while the target is away: the daemon brings it back and runs until the file system is written and unmounted, and
# the session is logged out of by nobody.
# kernels: 6.12
# daemon: no
# limit: 150

# shellcheck source=Tests/VM/systemd.sh
source /vm/systemd.sh
MOUNTED=/run/mounted UNIT=run-mounted.mount

unit_is() { systemctl show --property ActiveState "$1" | grep -qx "ActiveState=$2"; }

target_start lio
systemd_start
expect_exit 0 systemctl enable --now iscsi-admin.service
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
expect_exit 0 iscsi-admin node set "$IQN" node.startup=automatic 'node.conn[0].timeo.noop_out_interval=1' \
  'node.conn[0].timeo.noop_out_timeout=2'
expect_exit 0 systemctl enable --now iscsi-admin-login.service
expect_sessions 1
session=$(sid_of "$IQN") disk=$(disk_of "$IQN")
make_file_system "$disk"
mkdir "$MOUNTED"
inside mount "/dev/$disk" "$MOUNTED"
wait_until 20 unit_is $UNIT active

# What is written last is in the memory of the machine alone.
head -c 1000000 /dev/urandom >"$WORK/data"
inside dd if="$WORK/data" of="$MOUNTED/data" bs=1000000 2>/dev/null
target_kill lio
wait_until 20 session_state_is "$session" FAILED
expect_exit 0 systemctl --no-block poweroff
wait_until 30 unit_is $UNIT deactivating
# What has to end before the disks are given up has ended.
wait_until 30 unit_is iscsi-admin-login.service inactive
unit_is iscsi-admin.service active || fail 'the daemon has been stopped'
[[ -n $(pidof iscsi-admin) ]] || fail 'the daemon does not run'

target_restart lio
wait_until 60 process_ended "$NAMESPACE"
expect_equal '' "$(pidof iscsi-admin || true)"
expect_equal "$session" "$(sid_of "$IQN")"
session_state_is "$session" LOGGED_IN || fail "the session is $(<"$(session_of "$IQN")/state")"
expect_equal 'Filesystem state:         clean' "$(dumpe2fs -h "/dev/$disk" 2>/dev/null | grep '^Filesystem state:')"
mount -o ro "/dev/$disk" "$MOUNTED"
cmp "$WORK/data" "$MOUNTED/data" || fail 'the file has other data than was written'
umount "$MOUNTED"

daemon_start
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
daemon_stop
