# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target's machine reboots while the system writes to its disk; later the diskless machine reboots, and finds its files in order.
# limit: 180

initramfs <<'SCRIPT'
ip address add 10.0.0.2/24 dev eth0
ip link set eth0 up
iscsistart -i iqn.2026-11.org.example:boot -t iqn.2026-11.org.example:disk -g 1 -a 10.0.0.1 -P node.session.timeo.replacement_timeout=86400
SCRIPT
server serve_root tgt
diskless_start
expect_adopted
writers_start
wait_until 20 writers_go_on '5 5'

echo '--- the target is gone without a word, and comes back knowing nothing'
server 'cut && target_kill tgt'
sleep 5
before=$(writers_written)
server 'target_restart tgt && restore'
wait_until 60 writers_go_on "$before"
wait_until 10 session_is LOGGED_IN
writers_stop
expect_no_file_system_error
write_data
diskless_ends reboot
expect_written tgt

echo '--- the next boot'
diskless_start
expect_adopted
in_root 'tail -1 /root/lines-first; tail -1 /root/lines-second'
expect_equal "$WRITTEN" "$(in_root 'sha256sum </root/written')"
diskless_ends
expect_written tgt
