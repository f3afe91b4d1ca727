# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tune --persist writes, udev sets on a new disk of the target, whoever scans: not on others, and not at later events.
# targets: tgt
# kernels: 6.12
# needs: udev
# limit: 90

rules=/etc/udev/rules.d/61-iscsi-admin.rules
lun=$(first_lun "$TARGET")
target_start "$TARGET" --lun 8 --lun 12
target_start "$TARGET" --name "$IQN-2" --lun 16
/lib/systemd/systemd-udevd --daemon
wait_until 10 udevadm control --ping

# disk_with TARGET NUMBER: the disk behind a unit; disk_settings DISK: its timer and its scheduler.
disk_with() { ls "$(session_of "$1")"/device/target*/*:"$2"/block; }
disk_settings() { echo "$(<"/sys/block/$1/device/timeout") $(sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/$1/queue/scheduler")"; }
is_set_to() { [[ $(disk_settings "$(disk_with "$1" "$2")") == "$3" ]]; }

expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --lun "$lun"
sid=$(sid_of "$IQN")
wait_until 5 disk_with "$IQN" "$lun"
standard=$(disk_settings "$(disk_with "$IQN" "$lun")")
expect_match '^30 ' "$standard"
expect_exit 0 iscsi-admin tune --profile diskless "$sid" --persist
expect_equal '90 none' "$(disk_settings "$(disk_with "$IQN" "$lun")")"
cat $rules

echo '--- a new disk, found by somebody else'
# udev looks for changed rules no more often than every three seconds.
sleep 4
host=$(basename "$(readlink -f "$(session_of "$IQN")/device/..")")
echo "0 0 $((lun + 1))" >"/sys/class/scsi_host/$host/scan"
wait_until 5 disk_with "$IQN" $((lun + 1))
udevadm settle
udevadm test --action=add "/sys/class/block/$(disk_with "$IQN" $((lun + 1)))" >"$OUT/test" 2>&1 || true
grep -E 'ID_PATH|iscsi-admin' "$OUT/test" || true
wait_until 10 is_set_to "$IQN" $((lun + 1)) '90 none'
grep -q "61-iscsi-admin.rules.*ATTR.*timeout.*90" "$OUT/test" || fail 'udev does not say that it is our rule'

echo '--- the same at the next login, by another program'
expect_exit 0 iscsi-admin logout "$IQN"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
sid=$(sid_of "$IQN")
wait_until 5 disk_with "$IQN" "$lun"
wait_until 10 is_set_to "$IQN" "$lun" '90 none'

echo '--- no other target, and no later event'
expect_exit 0 iscsi-admin login "$IQN-2" --portal "$TARGET_ADDRESS"
wait_until 5 disk_with "$IQN-2" "$lun"
udevadm settle
expect_equal "$standard" "$(disk_settings "$(disk_with "$IQN-2" "$lun")")"
expect_exit 0 iscsi-admin set "$sid" --live device-timeout=44
udevadm trigger --action=change --settle "/sys/class/block/$(disk_with "$IQN" "$lun")"
expect_equal '44 none' "$(disk_settings "$(disk_with "$IQN" "$lun")")"

echo '--- the names that udev gives'
disk=$(disk_with "$IQN" "$lun")
expect_exit 0 iscsi-admin session show "$sid" --verbose --json
expect_json ".sessions[0].devices[] | select(.blockDevice == \"$disk\") | .disk |
  (.idLinks | length > 0 and all(startswith(\"/dev/disk/by-id/\"))) and (.pathLinks | any(test(\"by-path/.*$IQN\")))"

echo '--- without the profile, no rule'
expect_exit 0 iscsi-admin tune --profile default "$sid" --persist
[[ ! -e $rules ]] || fail 'the rules are still there'
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
udev_stop
rm -rf /run/udev /dev/disk /etc/udev/rules.d
