# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The scripted target is understood: open-iscsi sees each status it is told to send, and follows its redirect.
# reference: open-iscsi
# kernels: 6.12
# limit: 90

# login PORT: logs in to the scripted target there.
login() {
  iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS:$1" -o new >/dev/null
  run iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS:$1" -l
}

target_start tgt
fake_target 4001 read answer status=0201
fake_target 4002 read answer status=0203
fake_target 4003 read answer status=0101 "text=TargetAddress=$TARGET_ADDRESS:3260,1"
start_iscsid
login 4001
expect_equal 24 "$STATUS"
login 4002
expect_equal 19 "$STATUS"
login 4003
expect_equal 0 "$STATUS"
expect_exit 0 iscsiadm -m session -u
stop_iscsid
