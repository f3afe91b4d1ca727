# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Discovery, login and data over IPv6.
# targets: tgt lio

target_start "$TARGET" --portal "[$TARGET_ADDRESS_6]:3260"
expect_exit 0 iscsi-admin discover "[$TARGET_ADDRESS_6]:3260"
expect_stdout "\[fd00::1\]:3260"
expect_stdout "$IQN"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS_6"
expect_exit 0 iscsi-admin login "$IQN" --portal "[$TARGET_ADDRESS_6]"
check_data "$(disk_of "$IQN")" 1
expect_exit 0 iscsi-admin session list
expect_stdout "\[fd00::1\]:3260"
expect_exit 0 iscsi-admin logout "$IQN"
