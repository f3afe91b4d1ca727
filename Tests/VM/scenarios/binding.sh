# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A session is tied to a path by device or by Ethernet address, against what the routes say, or has a given source address.
# targets: tgt lio

target_start "$TARGET"
# An unbound connection leaves through san1, a bound one must not.
ip route add "$TARGET_ADDRESS/32" dev san1 src "$INITIATOR_ADDRESS_2"
ip address add 10.0.0.20/24 dev san0

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
ip route delete "$TARGET_ADDRESS/32" dev san1
login_from 10.0.0.20 --interface-address 10.0.0.20

run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-device nosuch0 --timeout 5
((STATUS != 0)) || fail 'a device that does not exist was accepted'
run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-mac 02:00:00:00:00:99 --timeout 5
((STATUS != 0)) || fail 'an Ethernet address that does not exist was accepted'
run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-address 10.0.0.77 --timeout 5
((STATUS != 0)) || fail 'a source address that is not ours was accepted'
expect_sessions 0
