# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A name the target does not know, and one that exists only at another portal.
# targets: tgt lio

# tgt says "not found" (0203), LIO "service unavailable" (0301).
code=19
[[ $TARGET == tgt ]] || code=5

target_start "$TARGET"
expect_exit "$code" iscsi-admin login "$IQN-nosuch" --portal "$TARGET_ADDRESS" --timeout 5
expect_silent_stdout
expect_stderr "$IQN-nosuch"
expect_sessions 0
expect_exit 7 iscsi-admin login 'iqn.2026-11.org.example:with blank' --portal "$TARGET_ADDRESS"
expect_exit 7 iscsi-admin login '../../etc/passwd' --portal "$TARGET_ADDRESS"

if [[ $TARGET == lio ]]; then
  # tgt serves every target at all of its portals, LIO does not.
  target_start lio --name "$IQN-elsewhere" --portal "$TARGET_ADDRESS_2:3260"
  expect_exit "$code" iscsi-admin login "$IQN-elsewhere" --portal "$TARGET_ADDRESS" --timeout 5
  expect_exit 0 iscsi-admin login "$IQN-elsewhere" --portal "$TARGET_ADDRESS_2"
  expect_exit 0 iscsi-admin logout --all
fi
