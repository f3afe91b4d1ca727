# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon's own program and everything it could load are on the disk that it recovers: caches dropped, the path cut for long.
# targets: tgt lio
# daemon: no
# limit: 240
# kernels: 6.12

# What waits for the disk waits long, and that is no fault here.
echo 120 >/proc/sys/kernel/hung_task_timeout_secs
modprobe ext4 || true
target_start "$TARGET" --lun 64
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}" --replacement-timeout 180
disk=$(disk_of "$IQN")
make_file_system "$disk"
mkdir -p /tmp/root
mount "/dev/$disk" /tmp/root
cp /usr/bin/iscsi-admin /tmp/root/
mkdir -p /tmp/root/etc
cp -r /etc/iscsi /tmp/root/etc/
daemon_stop

# From now on the daemon runs from the disk, in a directory of it, with its log there.
(cd /tmp/root && exec /tmp/root/iscsi-admin daemon >/tmp/root/log 2>&1) &
DAEMON_PID=$!
wait_until 15 daemon_listens
expect_equal /tmp/root/iscsi-admin "$(readlink "/proc/$DAEMON_PID/exe")"
sid=$(sid_of "$IQN")
# The writer is what a system on this disk would be; it writes to a file of its own.
( while true; do date +%s%N >>/tmp/root/writer; sync -f /tmp/root/writer 2>/dev/null || sync; sleep 0.2; done ) &
writer=$!
sleep 1
drop_packets 0 100
sleep 1
sync_started=$EPOCHSECONDS
echo 3 >/proc/sys/vm/drop_caches &
wait_until 20 session_state_is "$sid" FAILED
echo 1 >/proc/sys/vm/drop_caches &
sleep 55
kill -0 "$DAEMON_PID" || fail 'the daemon is gone'
drop_packets 0 0
wait_until 30 session_state_is "$sid" LOGGED_IN
echo "in use $((EPOCHSECONDS - sync_started)) s after the cut"
# Programs can be started from it again, and what was written is there.
/tmp/root/iscsi-admin session list
lines=$(wc -l </tmp/root/writer)
more_lines() { (($(wc -l </tmp/root/writer) > lines + 3)); }
wait_until 20 more_lines
kill "$writer"
wait "$writer" || true
! grep -q 'Aborting journal\|Remounting filesystem read-only' <(dmesg) || fail 'the file system saw an error'
cp /tmp/root/log "$OUT/daemon-on-disk.log"
daemon_stop 20
umount /tmp/root
daemon_start
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
daemon_stop
echo 20 >/proc/sys/kernel/hung_task_timeout_secs
