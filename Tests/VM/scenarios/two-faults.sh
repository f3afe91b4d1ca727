# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Two things go wrong at once or one after the other.
# targets: tgt lio
# limit: 240
# kernels: 6.12

target_start "$TARGET"
session_with_io
echo '--- the target dies while the link is down'
link_down 0
target_kill "$TARGET"
wait_until 20 session_state_is "$SID" FAILED
link_up 0
sleep 2
outage_ends target_restart "$TARGET"

echo '--- the daemon is killed while the target is away'
target_kill "$TARGET"
wait_until 20 session_state_is "$SID" FAILED
daemon_kill
daemon_start
outage_ends target_restart "$TARGET"

echo '--- the target dies while the daemon is not there'
daemon_kill
target_kill "$TARGET"
wait_until 20 session_state_is "$SID" FAILED
target_restart "$TARGET"
outage_ends daemon_start

echo '--- reset while packets are lost'
drop_packets 0 30
for count in 1 2 3 4 5; do
  reset_connections
  sleep 0.$count
done
outage_ends drop_packets 0 0

echo '--- frozen, then killed'
target_freeze "$TARGET"
wait_until 20 session_state_is "$SID" FAILED
[[ $TARGET == tgt ]] || target_thaw "$TARGET"
target_kill "$TARGET"
outage_ends target_restart "$TARGET"
end_session
