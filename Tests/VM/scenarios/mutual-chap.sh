# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Both sides authenticate; a target with the wrong secret is refused by us.
# targets: tgt lio

ours=$(password_file wonderland12)
theirs=$(password_file offwithherhead)
other=$(password_file notthequeen12)
algorithm=MD5
[[ $TARGET == tgt ]] || algorithm=SHA256
target_start "$TARGET" --user alice --secret wonderland12 --mutual-user queen --mutual-secret offwithherhead

# login MUTUAL_USER MUTUAL_PASSWORD_FILE EXPECTED_STATUS
login() {
  expect_exit "$3" iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --user alice --password-file "$ours" \
    --mutual-user "$1" --mutual-password-file "$2" --chap-algorithms $algorithm
  expect_no_secret wonderland12
  expect_no_secret offwithherhead
}
login queen "$theirs" 0
check_data "$(disk_of "$IQN")" 1
expect_exit 0 iscsi-admin logout "$IQN"
login queen "$other" 19
expect_sessions 0
login king "$theirs" 19
expect_sessions 0
