# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Names outside RFC 3722 and RFC 7143 that real targets have: underscores, none of the formats, and the longest one allowed.
# targets: tgt lio

long=iqn.2026-11.org.example:$(printf 'x%.0s' {1..199})
expect_equal 223 ${#long}
names=("$long")
# tgt itself refuses an underscore.
if [[ $TARGET == tgt ]]; then names+=(mytarget); else names+=("${IQN}_with_underscore"); fi
for name in "${names[@]}"; do
  target_start "$TARGET" --name "$name" --lun 4
  expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
  expect_stdout "$name"
  expect_exit 0 iscsi-admin login "$name" --portal "$TARGET_ADDRESS"
  disk_of "$name" >/dev/null
  expect_exit 0 iscsi-admin session list
  expect_stdout "$name"
  expect_exit 0 iscsi-admin logout "$name"
done
