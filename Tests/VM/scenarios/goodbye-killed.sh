# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon is killed between the Logout Request that the target asked for and what is to follow it. The kernel shows such a session as
# logged in, and it is of no use: the next daemon does not take it for healthy.
# targets: tgt
# kernels: 6.12
# limit: 120

target_start tgt
proxy_start 4000
# shellcheck disable=SC2034 # session_with_io logs in there
PORTAL=$TARGET_ADDRESS:4000
session_with_io
# The Logout Request is sent, and not answered.
target_freeze tgt
async_logout_request 10
wait_until 3 proxy_count_is_above logouts 0
daemon_kill
monitor_stop
session_state_is "$SID" LOGGED_IN || fail 'the kernel has noticed it by itself: this tests nothing'
daemon_start
monitor_start
wait_until 5 event_count_is lost 1
grep -q 'logout' "$OUT/events" || fail "the cause is not known: $(<"$OUT/events")"
outage_ends target_thaw tgt
wait_until 10 event_count_is recovered 1
end_session
