# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target's disk grows: a rescan of the session makes the new size known, with the disk in use.
# targets: tgt lio

lun=$(first_lun "$TARGET")
target_start "$TARGET" --lun 16
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
disk=$(disk_of "$IQN")
expect_equal $((16 << 20)) "$(disk_size "$disk")"
target_resize "$TARGET" "$IQN" "$lun" 32
expect_exit 0 iscsi-admin session rescan "$(sid_of "$IQN")"
has_size() { [[ $(disk_size "$disk") == "$(($1 << 20))" ]]; }
wait_until 5 has_size 32
target_resize "$TARGET" "$IQN" "$lun" 64
expect_exit 0 iscsi-admin session rescan
wait_until 5 has_size 64
check_data "$disk" 1
expect_exit 0 iscsi-admin logout "$IQN"
