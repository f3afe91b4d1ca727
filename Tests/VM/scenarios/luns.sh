# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Several disks: all of them by default, or just those asked for.
# targets: tgt lio

first=$(first_lun "$TARGET")
target_start "$TARGET" --lun 8 --lun 12 --lun 16
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
has_disks() { [[ $(disks_of "$IQN" | wc -l) == "$1" ]]; }
wait_until 5 has_disks 3
expect_exit 0 iscsi-admin logout "$IQN"

expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --lun "$first" --lun $((first + 2))
wait_until 5 has_disks 2
mapfile -t disks < <(disks_of "$IQN")
expect_equal $((8 << 20)) "$(disk_size "${disks[0]}")"
expect_equal $((16 << 20)) "$(disk_size "${disks[1]}")"
expect_exit 0 iscsi-admin logout "$IQN"
