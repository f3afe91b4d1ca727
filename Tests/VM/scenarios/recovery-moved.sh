# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target is elsewhere after an outage, for now or for good: the session follows it.
# targets: tgt lio
# limit: 150

target_start "$TARGET"
session_with_io
outage_begins target_move "$TARGET" "$TARGET_ADDRESS:3270" 0101
outage_ends true
wait_until 5 has_event redirected
expect_equal 3270 "$(<"$(connection_of "$IQN")/port")"
expect_equal 3260 "$(<"$(connection_of "$IQN")/persistent_port")"

# It was for now: the next recovery begins at the first portal.
outage_begins target_kill "$TARGET"
outage_ends target_accept "$TARGET"
expect_equal 3260 "$(<"$(connection_of "$IQN")/port")"

outage_begins target_move "$TARGET" "$TARGET_ADDRESS_2:3271" 0102
outage_ends true
wait_until 5 has_event moved
expect_equal "$TARGET_ADDRESS_2" "$(<"$(connection_of "$IQN")/address")"
# For good: nobody is at the first portal any more, neither for a recovery nor for another daemon's.
fake_target_stop 3260
reset_connections 3271
outage_ends true
daemon_kill
target_kill "$TARGET"
daemon_start
outage_ends target_restart "$TARGET" "$TARGET_ADDRESS_2:3271"
end_session
