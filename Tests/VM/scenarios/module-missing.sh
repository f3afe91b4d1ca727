# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel's driver is loaded by the daemon's start; where its file is missing, the daemon ends with 12.
# targets: tgt
# daemon: no

target_start "$TARGET"
modprobe -r iscsi_tcp
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin logout "$IQN"
daemon_stop

modprobe -r iscsi_tcp
mkdir -p "$WORK/empty"
mount --bind "$WORK/empty" /lib/modules
expect_exit 12 iscsi-admin daemon
expect_stderr 'iscsi_tcp'
umount /lib/modules
