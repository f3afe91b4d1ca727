# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A session is tied to a path by device, by Ethernet address or by source address, against what the routes say.
# targets: tgt lio

# With this route only a bound connection leaves through san1.
target_start "$TARGET" --portal "$TARGET_ADDRESS:3260"
ip -n target address add 10.9.0.1/32 dev lo
target_start "$TARGET" --name "$IQN-b" --portal 10.9.0.1:3260 2>/dev/null || true
ip route add 10.0.0.1/32 dev san1 src "$INITIATOR_ADDRESS_2" metric 50
ip -n target route replace 10.0.0.2/32 dev tgt0

# login_from EXPECTED_SOURCE OPTION VALUE
login_from() {
  local source=$1
  shift
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "$@"
  expect_equal 1 "$(connections_from "$source")"
  check_data "$(disk_of "$IQN")" 1
  expect_exit 0 iscsi-admin logout "$IQN"
}
login_from "$INITIATOR_ADDRESS_2"
login_from "$INITIATOR_ADDRESS" --interface-device san0
login_from "$INITIATOR_ADDRESS" --interface-mac "$(mac_of san0)"
login_from "$INITIATOR_ADDRESS" --interface-address "$INITIATOR_ADDRESS"

run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-device nosuch0 --timeout 5
((STATUS != 0)) || fail 'a device that does not exist was accepted'
run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-mac 02:00:00:00:00:99 --timeout 5
((STATUS != 0)) || fail 'an Ethernet address that does not exist was accepted'
run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-address 10.0.0.77 --timeout 5
((STATUS != 0)) || fail 'a source address that is not ours was accepted'
expect_sessions 0
