# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A wrong secret, user or no secret at all ends with status 24 and names the reason.
# targets: tgt lio
# kernels: 6.12

target_start "$TARGET" --user alice --secret wonderland12
wrong=$(password_file wrongwrongwrong)
right=$(password_file wonderland12)
expect_exit 24 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --user alice --password-file "$wrong"
expect_silent_stdout
expect_stderr "$IQN"
expect_stderr '02[0-9a-f]{2}'
expect_no_secret wrongwrongwrong
expect_exit 24 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --user bob --password-file "$right"
expect_exit 24 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_stderr "$IQN"
expect_sessions 0
