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
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left

expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
disk=$(disk_of "$IQN")
mount "/dev/$disk" "$WORK/mounted"
expect_equal text "$(<"$WORK/mounted/file")"
sync
expect_exit 0 iscsi-admin logout "$IQN" --force
umount "$WORK/mounted"
expect_nothing_left
