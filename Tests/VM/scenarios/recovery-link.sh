# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The cable is pulled: for a second, for thirty, and for longer than I/O is to wait, which then fails and works again afterwards.
# kernels: 6.12
# targets: tgt lio
# limit: 150

target_start "$TARGET"
session_with_io
echo '--- one second'
link_down 0
sleep 1
outage_ends link_up 0
expect_equal 0 "$(io_count errors)"

echo '--- thirty seconds'
outage_begins link_down 0
wait_until 5 has_event diagnosed
sleep 28
outage_ends link_up 0
end_session

echo '--- longer than the replacement timeout'
session_with_io --replacement-timeout 3
link_down 0
wait_until 20 session_state_is "$SID" FREE
wait_until 10 io_count_is_above errors 0
outage_ends link_up 0
expect_whole 1
io_expect_no_corruption
check_data "$DISK" 1
expect_logged_out
