# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target asks for a logout, or says that it drops the connection or the session (RFC 7143, 11.9): done, and logged in again.
# targets: tgt lio
# kernels: 6.12
# limit: 150

target_start "$TARGET"
proxy_start 4000
# shellcheck disable=SC2034 # session_with_io logs in there
PORTAL=$TARGET_ADDRESS:4000
session_with_io
expect_equal 1 "$(proxy_count logins)"
async_logout_request 5
wait_until 10 proxy_count_is_above logouts 0
wait_until 20 proxy_count_is_above logins 1
outage_ends true
expect_equal 1 "$(proxy_count logouts)"
expect_equal 1 "$(events messageReceived)"

# The connection is dropped in 1 to 2 seconds, all connections are dropped, and a new negotiation, which here is a new login.
for message in '2 0 1 2' '3 0 1 2' '4 0 0 3'; do
  logins=$(proxy_count logins)
  # shellcheck disable=SC2086
  proxy async $message
  wait_until 20 proxy_count_is_above logins "$logins"
  outage_ends true
done
# What is no reason to leave: an event of SCSI, one of the vendor, one that nobody knows.
logins=$(proxy_count logins)
for message in 0 255 77; do
  proxy async $message
  sleep 0.5
done
io_goes_on
expect_equal "$logins" "$(proxy_count logins)"
end_session
