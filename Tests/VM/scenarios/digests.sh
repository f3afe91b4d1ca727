# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# CRC32C for headers and data: agreed on, shown, and data goes through; a target without it is refused by name.
# targets: tgt lio

target_start "$TARGET"
if [[ $TARGET == tgt ]]; then
  expect_exit 19 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --header-digest CRC32C
  expect_stderr 'the target refuses HeaderDigest=CRC32C'
  expect_nothing_left
  for key in HeaderDigest DataDigest; do
    tgtadm_iscsi --op update --mode target --tid "$(tgt_id "$IQN")" --name $key --value CRC32C,None
  done
fi
# login HEADER DATA EXPECTED_HEADER EXPECTED_DATA: what is offered and what must come of it.
login() {
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --header-digest "$1" --data-digest "$2"
  expect_exit 0 iscsi-admin session show --json
  expect_json ".sessions[0].negotiated | .headerDigest == \"$3\" and .dataDigest == \"$4\""
  check_data "$(disk_of "$IQN")" 1
  expect_exit 0 iscsi-admin logout "$IQN"
  expect_silent_stderr
}
login CRC32C,None CRC32C,None CRC32C CRC32C
login CRC32C None CRC32C None
login None CRC32C None CRC32C

# A target that declines.
for key in HeaderDigest DataDigest; do
  option=--header-digest
  [[ $key == HeaderDigest ]] || option=--data-digest
  for answer in None Reject; do
    fake_target 4000 read answer text=$key=$answer
    expect_exit 19 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" $option CRC32C --timeout 5
    expect_stderr "the target refuses $key=CRC32C"
    expect_nothing_left 4000
  done
done
