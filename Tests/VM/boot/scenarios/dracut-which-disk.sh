# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut with no root= device, and a target with a file system on each of two units: the root file system is on the unit that is named, by the
# firmware and then by a server of addresses, and no other disk is ever taken for it.
# limit: 400
# memory: 1024
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=2

image_of dracut
# What has claimed the name, when the system has its turn.
cat >"$RUN_DIRECTORY/claims" <<'HOOK'
#!/bin/sh
for file in /run/udev/data/b*; do
  while read -r line; do
    [ "$line" != S:root ] || echo "claims the name: ${file##*/}"
  done <"$file"
done >/dev/console
HOOK
truncate -s %4 "$RUN_DIRECTORY/diskless-initramfs"
add_file "$RUN_DIRECTORY/diskless-initramfs" "$RUN_DIRECTORY/claims" usr/lib/dracut/hooks/pre-pivot/99-claims.sh
# shellcheck disable=SC2016 # for the server
server 'mkdir -p "$TARGET_FILES"
  for unit in 1 2; do cp /dev/vda "$(backing_file "$IQN" $unit)"; done
  size=$(($(stat -c %s "$(backing_file "$IQN" 1)") >> 20))
  target_start tgt --lun $size --lun $size'
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m "--dhcp-option=17,iscsi:10.0.0.1:::2:$IQN"

# expect_unit NUMBER: / is on that unit, and nothing else was called the root file system.
expect_unit() {
  local device
  # shellcheck disable=SC2016 # for the machine there
  device=$(diskless 'awk "\$5 == \"/\" { print \$3 }" /proc/1/mountinfo' | tail -1)
  expect_match ":$1\$" "$(diskless readlink -f "/sys/dev/block/$device/device")"
  expect_equal "claims the name: b$device" "$(console_has '^claims the name: ' | tr -d '\r')"
}
for parameters in '' 'root=dhcp ip=dhcp'; do
  echo "--- ${parameters:-the firmware}"
  diskless_start rw "$parameters"
  expect_unit 2
  expect_adopted
  diskless_ends
done
