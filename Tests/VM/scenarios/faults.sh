# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The faults do what they say, and the checker finds what it should: with open-iscsi, independent of our code.
# targets: tgt lio
# reference: open-iscsi
# default: no
# kernels: 6.12
# limit: 150

target_start "$TARGET" --lun 16 --lun 16 --portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS:3270"
first=$(first_lun "$TARGET")
start_iscsid 'node.session.timeo.replacement_timeout = 60' 'node.conn[0].timeo.noop_out_interval = 1' \
  'node.conn[0].timeo.noop_out_timeout = 2'
iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS" -o new >/dev/null
expect_exit 0 iscsiadm -m node -T "$IQN" -l
sid=$(sid_of "$IQN")
two_disks() { [[ $(disks_of "$IQN" | wc -l) == 2 ]]; }
wait_until 10 two_disks
mapfile -t disks < <(disks_of "$IQN")
io_start "${disks[0]}"

# outage COMMAND...: the session is lost by it.
outage() {
  echo "--- $*"
  "$@"
  wait_until 20 session_state_is "$sid" FAILED
}
back() {
  wait_until 30 session_state_is "$sid" LOGGED_IN
  io_goes_on 20
}
outage target_kill "$TARGET"
target_restart "$TARGET"
back
outage target_freeze "$TARGET"
target_thaw "$TARGET"
back
echo '--- link'
link_down 0
expect_equal 0 "$(</sys/class/net/san0/carrier)"
wait_until 20 session_state_is "$sid" FAILED
link_up 0
back
echo '--- resets'
reset_connections
back
outage drop_packets 0 100
drop_packets 0 0
back
outage target_refuse "$TARGET" 0301
target_accept "$TARGET"
back
outage target_move "$TARGET" "$TARGET_ADDRESS:3270" 0101
back
expect_equal 3270 "$(<"$(connection_of "$IQN")/port")"
io_expect_clean
target_kill "$TARGET"
fake_target_stop 3260
target_remove_lun "$TARGET" "$IQN" $((first + 1))
target_restart "$TARGET"
wait_until 30 session_state_is "$sid" LOGGED_IN
! dd if="/dev/${disks[1]}" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null || fail 'the second disk is still there'
dd if="/dev/${disks[0]}" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null
# Somebody else writes to the disk: the checker must tell.
io-check verify --journal "$WORK/io.journal" "/dev/${disks[0]}" >/dev/null
dd if=/dev/zero of="/dev/${disks[0]}" bs=64k count=16 oflag=direct 2>/dev/null
expect_exit 1 io-check verify --journal "$WORK/io.journal" "/dev/${disks[0]}"
expect_stdout '^corruption disk=.*foreign content'
expect_exit 0 iscsiadm -m session -u

# The proxy.
iscsiadm -m node -o delete
proxy_start 4000
iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS:4000" -o new >/dev/null
expect_exit 0 iscsiadm -m node -T "$IQN" -l
sid=$(sid_of "$IQN")
expect_equal 1 "$(proxy_count logins)"

disk=$(disks_of "$IQN" | head -1)
io_start "$disk"
async_logout_request 3
wait_until 20 proxy_count_is_above logouts 0
wait_until 20 proxy_count_is_above logins 1
back
proxy reset
back
outage proxy freeze
proxy thaw
back
proxy refuse 0302
outage proxy reset
wait_until 10 proxy_count_is_above refused 0
proxy accept
back
io_expect_clean
expect_exit 0 iscsiadm -m session -u
stop_iscsid
