# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target tells that its units have changed (RFC 7143, 11.9, with 3F/0E or 2A/09): they are looked at again, without a new login.
# kernels: 6.12
# targets: tgt lio

lun=$(first_lun "$TARGET")
target_start "$TARGET" --lun 16
proxy_start 4000
monitor_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000"
disk=$(disk_of "$IQN")
expect_equal $((16 << 20)) "$(disk_size "$disk")"
has_disks() { [[ $(disks_of "$IQN" | wc -l) == "$1" ]]; }
has_size() { [[ $(disk_size "$disk") == "$(($1 << 20))" ]]; }

target_add_lun "$TARGET" "$IQN" $((lun + 1)) 8
has_disks 1 || fail 'the new disk is there before anybody has told of it'
async_attention 3f 0e
wait_until 10 has_disks 2
new=$(disks_of "$IQN" | tail -1)
expect_equal $((8 << 20)) "$(disk_size "$new")"
check_data "$new" 1
wait_until 5 event_count_is messageReceived 1

target_resize "$TARGET" "$IQN" "$lun" 32
has_size 16 || fail 'the new size is known before anybody has told of it'
async_attention 2a 09
wait_until 10 has_size 32
check_data "$disk" 1

# A session that is to have only chosen units is left as it is.
expect_exit 0 iscsi-admin logout "$IQN"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --lun "$lun"
disk=$(disk_of "$IQN")
async_attention 3f 0e
wait_until 5 event_count_is messageReceived 3
target_resize "$TARGET" "$IQN" "$lun" 48
expect_exit 0 iscsi-admin session rescan "$(sid_of "$IQN")"
wait_until 5 has_size 48
has_disks 1 || fail 'a unit that was not chosen is there'

expect_equal 2 "$(proxy_count logins)"
expect_equal 0 "$(events lost)"
expect_exit 0 iscsi-admin logout "$IQN"
monitor_stop
expect_nothing_left 4000
