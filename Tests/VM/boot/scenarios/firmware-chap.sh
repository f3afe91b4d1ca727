# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware's table has address, target, and secrets of both sides; iscsistart sets the card up and logs in.
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1 user=alice secret=wonderland12 mutual-user=queen mutual-secret=offwithherhead

initramfs <<'SCRIPT'
iscsistart -N
iscsistart -b
SCRIPT
server serve_root tgt --user alice --secret wonderland12 --mutual-user queen --mutual-secret offwithherhead
diskless_start
expect_adopted
expect_data
write_data
echo '--- the daemon logs in again with what it found'
server target_kill tgt
wait_until 30 session_is FAILED
server target_restart tgt
wait_until 30 session_is LOGGED_IN
diskless_ends
expect_written tgt
! grep -aE 'wonderland12|offwithherhead' "$RUN_DIRECTORY/diskless-console" || fail 'a secret was printed'
