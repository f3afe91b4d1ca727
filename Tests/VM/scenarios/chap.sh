# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The initiator authenticates, with each digest the target knows; its secret is never printed.
# targets: tgt lio

secret=wonderland12
password=$(password_file $secret)
target_start "$TARGET" --user alice --secret $secret
algorithms=(MD5)
[[ $TARGET == tgt ]] || algorithms=(MD5 SHA1 SHA256 SHA3-256)
for algorithm in "${algorithms[@]}"; do
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --user alice --password-file "$password" \
    --chap-algorithms "$algorithm"
  expect_no_secret $secret
  disk_of "$IQN" >/dev/null
  expect_exit 0 iscsi-admin session show
  expect_no_secret $secret
  expect_exit 0 iscsi-admin session show --json
  expect_no_secret $secret
  expect_exit 0 iscsi-admin logout "$IQN"
done
# What is offered by itself suits both targets.
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --user alice --password-file "$password"
expect_exit 0 iscsi-admin logout "$IQN"
# The portal has no user for discoveries, and need not have that of the target: LIO refuses it there.
expect_exit 0 iscsi-admin login --all --portal "$TARGET_ADDRESS" --user alice --password-file "$password"
expect_no_secret $secret
expect_sessions 1
expect_exit 0 iscsi-admin logout "$IQN"
