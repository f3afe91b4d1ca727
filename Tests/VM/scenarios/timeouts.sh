# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The timeouts that are asked for are the kernel's, and they do what they say when the path is cut.
# limit: 90

target_start lio
# login OPTION...
login() {
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "$@"
  SESSION=$(session_of "$IQN") CONNECTION=$(connection_of "$IQN")
}
# expect_settings REPLACEMENT INTERVAL TIMEOUT: in sysfs.
expect_settings() {
  expect_equal "$1" "$(<"$SESSION/recovery_tmo")"
  expect_equal "$2" "$(<"$CONNECTION/recv_tmo")"
  expect_equal "$3" "$(<"$CONNECTION/ping_tmo")"
}
logout() {
  expect_exit 0 iscsi-admin logout "$IQN"
}

login
expect_settings 120 5 5
logout
login --replacement-timeout -1 --noop-interval 0 --noop-timeout 0
expect_settings off 0 0
expect_exit 0 iscsi-admin session show
expect_stdout '^ *Replacement +off'
expect_stdout '^ *NOP-Out interval +off$'
expect_exit 0 iscsi-admin session show --json
expect_json '.sessions[0].timeouts | .replacementTimeoutSeconds == -1 and .noopIntervalSeconds == 0 and .noopTimeoutSeconds == 0'
logout
login --replacement-timeout 0 --noop-interval 3 --noop-timeout 7
expect_settings 0 3 7
logout

# The path is cut: FAILED after interval and timeout, FREE after the replacement timeout.
login --replacement-timeout 3 --noop-interval 2 --noop-timeout 1
expect_settings 3 2 1
disk=$(disk_of "$IQN")
state_is() { [[ $(<"$SESSION/state") == "$1" ]]; }
cut=$EPOCHREALTIME
# elapsed: milliseconds since the cut.
elapsed() { echo $(((${EPOCHREALTIME/./} - ${cut/./}) / 1000)); }
path_cut 0
wait_until 10 state_is FAILED
failed=$(elapsed)
echo "FAILED after $failed ms"
((failed > 500 && failed < 5000)) || fail "FAILED after $failed ms, with an interval of 2 s and a timeout of 1 s"
expect_exit 0 iscsi-admin session list
expect_stdout 'FAILED'
expect_exit 0 iscsi-admin session show
expect_stdout '^ *Status +recovering for [0-9]+ s'
expect_stdout '^ *I/O +waits for [123] s more, until .*, and fails then'
expect_stdout 'blocked'
expect_exit 0 iscsi-admin session show --json
expect_json '.sessions[0] | .state == "FAILED" and .devices[0].state == "blocked"'
wait_until 10 state_is FREE
free=$(elapsed)
echo "FREE after $free ms"
((free - failed > 2000 && free - failed < 6000)) || fail "FREE $((free - failed)) ms after FAILED, with a replacement timeout of 3 s"
expect_exit 0 iscsi-admin session show
expect_stdout '^ *Status +failing I/O'
expect_stdout '^ *I/O +fails until the session is back'
! dd if="/dev/$disk" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null || fail 'a read of a lost session succeeded'
expect_exit 0 iscsi-admin logout "$IQN"
expect_stderr 'was not told'
expect_nothing_left
