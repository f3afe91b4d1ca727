# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A session whose disk is mounted is not logged out, unless one insists.
# targets: tgt lio

modprobe ext4 || true
target_start "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
disk=$(disk_of "$IQN")
make_file_system "$disk"
mkdir -p "$WORK/mounted"
mount "/dev/$disk" "$WORK/mounted"
for what in "$IQN" --all "$(sid_of "$IQN")"; do
  expect_exit 28 iscsi-admin logout "$what"
  expect_stderr "$disk|mounted"
  expect_sessions 1
done
echo text >"$WORK/mounted/file"
umount "$WORK/mounted"

echo '--- mounted where only another program sees it'
unshare -m sh -c "mount /dev/$disk $WORK/mounted && exec sleep 1000" &
hidden=$!
is_hidden_mount() { grep -q " $WORK/mounted " "/proc/$hidden/mounts"; }
wait_until 5 is_hidden_mount
expect_exit 28 iscsi-admin logout "$IQN"
expect_stderr "$disk has a file system \(ext4\) that is mounted somewhere"
expect_sessions 1
kill $hidden
wait $hidden || true

echo '--- held by a device that nobody has mounted'
modprobe dm_mod
dmsetup create volume --noudevsync --table "0 $(<"/sys/block/$disk/size") linear /dev/$disk 0"
expect_exit 28 iscsi-admin logout "$IQN"
expect_stderr "$disk is held by dm-0 \(volume\)"
expect_sessions 1
dmsetup remove --noudevsync volume
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left

echo '--- one insists'
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
disk=$(disk_of "$IQN")
mount "/dev/$disk" "$WORK/mounted"
expect_equal text "$(<"$WORK/mounted/file")"
sync
expect_exit 0 iscsi-admin logout "$IQN" --force
umount "$WORK/mounted"
expect_nothing_left

echo '--- the configuration protects nothing'
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
mount "/dev/$(disk_of "$IQN")" "$WORK/mounted"
sync
mkdir -p /etc/iscsi
cp -p /etc/iscsi/iscsid.conf "$WORK/iscsid.conf" 2>/dev/null || : >"$WORK/iscsid.conf"
echo 'iscsid.safe_logout = No' >>/etc/iscsi/iscsid.conf
expect_exit 0 iscsi-admin logout "$IQN"
cp "$WORK/iscsid.conf" /etc/iscsi/iscsid.conf
umount "$WORK/mounted"
expect_nothing_left
