# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Two lost sessions when the daemon starts, and one of their portals dead: the other one is recovered without waiting for it.
# kernels: 6.12
# targets: tgt lio
# daemon: no
# limit: 120

target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS_2:3260"
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS_2" --noop-interval 1 --noop-timeout 2 --replacement-timeout 600
dead=$(sid_of "$IQN")
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --noop-interval 1 --noop-timeout 2 --replacement-timeout 600
expect_sessions 2
# The higher number comes later in each listing.
for session in /sys/class/iscsi_session/session*; do
  sid=${session##*session}
  [[ $sid == "$dead" ]] || live=$sid
done
((live > dead)) || fail 'the dead one does not come first'
daemon_kill
target_kill "$TARGET"
wait_until 20 session_state_is "$live" FAILED
wait_until 20 session_state_is "$dead" FAILED
path_cut 1
target_restart "$TARGET"

daemon_start
wait_until 10 session_state_is "$live" LOGGED_IN
expect_equal FAILED "$(<"/sys/class/iscsi_session/session$dead/state")"
# And it takes calls.
expect_exit 0 iscsi-admin session list
path_restore 1
wait_until 40 session_state_is "$dead" LOGGED_IN
expect_exit 0 iscsi-admin logout --all
daemon_stop
expect_nothing_left
