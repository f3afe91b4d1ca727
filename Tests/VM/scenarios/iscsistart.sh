# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# iscsistart logs in without a daemon and where nothing can be written, tells why it cannot, and leaves sessions that are taken up.
# targets: tgt lio
# daemon: no
# limit: 120

secret=wonderland12
mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsistart"
PATH=$WORK/ours:$PATH
target_start "$TARGET"
target_start "$TARGET" --name "$IQN-chap" --user alice --secret $secret --mutual-user queen --mutual-secret offwithherhead
rm /etc/iscsi/initiatorname.iscsi
start=(iscsistart -i "$INITIATOR_IQN" -g 1 -a "$TARGET_ADDRESS")
once=(-P node.session.initial_login_retry_max=1 -P 'node.conn[0].timeo.login_timeout=3')
port_is_tried() { [[ $(grep -c "$1" "$OUT/waiting") -ge $2 ]]; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

echo '--- what fails leaves nothing'
# LIO says of a target that it has not that it may come.
expect_exit 1 "${start[@]}" -t "$IQN-none" "${once[@]}"
expect_stderr "^iscsistart: login to $IQN-none at $TARGET_ADDRESS:3260 failed: "
expect_stderr '^iscsistart: initiator reported error \((19 - encountered non-retryable|5 - encountered) iSCSI login failure\)$'
expect_exit 1 "${start[@]}" -t "$IQN-chap" -u alice -w wrongwrongwrong
expect_stderr '^iscsistart: initiator reported error \(24 - iSCSI login failed due to authorization failure\)$'
expect_no_secret wrongwrongwrong
expect_exit 1 "${start[@]}" -t "$IQN" -p 3261 "${once[@]}"
expect_stdout "^iscsistart: Logging into $IQN $TARGET_ADDRESS:3261,1\$"
expect_stderr "^iscsistart: $IQN at $TARGET_ADDRESS:3261: login attempt 1 failed: connection refused\$"
expect_stderr '^iscsistart: initiator reported error \(8 - connection timed out\)$'
expect_nothing_left
[[ ! -e /run/iscsi-admin/sessions || -z $(ls /run/iscsi-admin/sessions) ]] || fail 'a record is left of what failed'

echo '--- a target that is not there yet is waited for, and nobody sees the password'
"${start[@]}" -t "$IQN-chap" -p 3262 -u alice -w $secret --password_in=offwithherhead -U queen >"$OUT/waiting" 2>&1 &
process=$!
wait_until 10 port_is_tried 'login attempt' 2
! tr '\0' '\n' <"/proc/$process/cmdline" | grep -e $secret -e offwithherhead || fail 'the password is in the command line'
kill -TERM $process
wait_until 10 is_gone $process
wait $process || true
expect_nothing_left

echo '--- where nothing can be written'
mkdir -p /run/iscsi-admin
mount -t tmpfs -o ro none /run/iscsi-admin
expect_exit 0 "${start[@]}" -t "$IQN-chap" -u alice -w $secret -U queen -W offwithherhead
expect_stderr "^iscsistart: Connection[0-9]*:0 to \\[target: $IQN-chap, portal: $TARGET_ADDRESS,3260\\] through \\[iface: default\\] is operational now\$"
umount /run/iscsi-admin
check_data "$(disk_of "$IQN-chap")" 1

echo '--- with settings of its own'
expect_exit 0 "${start[@]}" -t "$IQN" -p 3260 -P node.session.timeo.replacement_timeout=86400 -P 'node.conn[0].timeo.noop_out_interval=3' \
  --param='node.conn[0].timeo.noop_out_timeout=4'
expect_equal 86400 "$(<"$(session_of "$IQN")/recovery_tmo")"
expect_equal '3 4' "$(cat "$(connection_of "$IQN")"/{recv_tmo,ping_tmo} | paste -sd ' ')"
expect_equal "$INITIATOR_IQN" "$(<"$(session_of "$IQN")/initiatorname")"
expect_exit 1 "${start[@]}" -t "$IQN"
expect_stderr '^iscsistart: initiator reported error \(15 - session exists\)$'
expect_exit 1 "${start[@]}" -t "$IQN" -P node.nosuch=1
expect_stderr '^iscsistart: Unknown parameter node.nosuch.$'
expect_sessions 2

echo '--- taken up without a login'
io_start "$(disk_of "$IQN")" "$(disk_of "$IQN-chap")" --workers 1
initiator_connections >"$OUT/connections"
# shellcheck disable=SC2119
daemon_start
initiator_connections | diff "$OUT/connections" - || fail 'a session was logged in again'
expect_equal 86400 "$(<"$(session_of "$IQN")/recovery_tmo")"
expect_exit 0 iscsi-admin session show "$(sid_of "$IQN")"
expect_stdout '^ *Asked for by +user 0, boot, '
echo '--- and recovered, with what was left of its login'
target_kill "$TARGET"
wait_until 20 all_sessions_are FAILED 2
target_restart "$TARGET"
expect_whole 2
io_goes_on
io_expect_clean
expect_exit 0 iscsi-admin logout --all
daemon_stop
expect_nothing_left
