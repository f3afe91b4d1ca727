# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target dies and comes back, at once and after some time: I/O waits and goes on, nothing is lost.
# targets: tgt lio
# limit: 120

target_start "$TARGET"
session_with_io
outage_begins target_kill "$TARGET"
outage_ends target_restart "$TARGET"
outage_begins target_kill "$TARGET"
sleep 5
expect_exit 0 iscsi-admin session list
expect_stdout FAILED
outage_ends target_restart "$TARGET"
wait_until 5 event_count_is recovered 2
wait_until 5 event_count_is lost 2
expect_equal 0 "$(events vanished)"
end_session
