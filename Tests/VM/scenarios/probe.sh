# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target is tried from user space alone, without the kernel's driver and without privileges.
# targets: tgt lio
# kernels: 6.12

target_start "$TARGET"
lun=$(first_lun "$TARGET")
expect_exit 0 iscsi-admin probe "iscsi://$TARGET_ADDRESS:3260/$IQN/$lun"
expect_exit 0 as_nobody iscsi-admin probe "iscsi://$TARGET_ADDRESS:3260/$IQN/$lun"
expect_exit 21 iscsi-admin probe "iscsi://$TARGET_ADDRESS:3260/$IQN/77"
run iscsi-admin probe "iscsi://$TARGET_ADDRESS:3260/$IQN-nosuch/$lun"
((STATUS != 0)) || fail 'a target that does not exist answered'
expect_sessions 0
