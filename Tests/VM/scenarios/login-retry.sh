# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A first login is tried again for the time that was given, or not waited for; a refusal for good is not tried again.
# targets: tgt lio
# limit: 120

network_up
monitor_start
expect_exit 4 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 5
expect_within 4000
expect_exit 4 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 5 --retry 4
((ELAPSED_MS >= 2000)) || fail "gave up after $ELAPSED_MS ms"
expect_within 10000
expect_nothing_left

iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 5 --retry 60 >"$OUT/waiting" 2>&1 &
waiting=$!
wait_until 10 has_event loginDelayed
sleep 1
target_start "$TARGET"
wait "$waiting" || fail "the login ended with $?: $(<"$OUT/waiting")"
expect_sessions 1
expect_exit 0 iscsi-admin logout "$IQN"

# Nobody waits for this one.
target_kill "$TARGET"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 5 --retry 60 --no-wait
expect_within 3000
expect_sessions 0
sleep 1
target_restart "$TARGET"
wait_until 20 all_sessions_are LOGGED_IN 1
check_data "$(disk_of "$IQN")" 1
expect_exit 0 iscsi-admin logout "$IQN"

fake_target 4000 read answer status=0203
expect_exit 19 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --retry 30
expect_within 4000
monitor_stop
expect_nothing_left
