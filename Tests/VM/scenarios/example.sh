# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A program with the library follows two outages: I/O fails 3 s after the loss where that was set, and waits where it was not.
# targets: tgt
# kernels: 6.12

target_start "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
sid=$(sid_of "$IQN")
# By its path: busybox's shell prefers its own.
link='/bin/ip -n target link set tgt0'
expect_exit 0 outage-example "$sid" "/dev/$(disk_of "$IQN")" "$link down" "$link up"
cat "$OUT/stdout"
expect_stdout "^session $sid: operational, I/O flows$"
expect_stdout '^lost: .*; I/O fails 3.0 s after$'
expect_stdout '^failed: Input/output error, (2\.[5-9]|3\.[0-9]|4\.[0-5]) s after$'
expect_stdout '^lost: .*; I/O fails 86400.0 s after$'
expect_stdout '^waits: 6 s later$'
expect_equal read "$(tail -1 "$OUT/stdout")"
expect_equal 86400 "$(<"$(session_of "$IQN")/recovery_tmo")"
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
