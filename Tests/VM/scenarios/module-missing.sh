# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel's driver is loaded on demand; where its file is missing, login ends with 12.
# targets: tgt

target_start "$TARGET"
modprobe -r iscsi_tcp
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin logout "$IQN"

modprobe -r iscsi_tcp
mkdir -p "$WORK/empty"
mount --bind "$WORK/empty" /lib/modules
expect_exit 12 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_stderr 'iscsi_tcp'
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
umount /lib/modules
