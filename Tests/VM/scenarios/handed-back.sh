# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sessions of ours go on with open-iscsi's daemon, which has neither records nor files of ours: with CHAP in both directions, too.
# targets: tgt
# daemon: no
# limit: 90

secret=wonderland12 mutual=offwithherhead
target_start "$TARGET"
target_start "$TARGET" --name "$IQN-chap" --user alice --secret $secret --mutual-user queen --mutual-secret $mutual
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin login "$IQN-chap" --portal "$TARGET_ADDRESS" --user alice --password-file "$(password_file $secret)" \
  --mutual-user queen --mutual-password-file "$(password_file $mutual)"
expect_no_secret $secret
expect_no_secret $mutual
io_start "$(disk_of "$IQN")" "$(disk_of "$IQN-chap")" --workers 1
# Only root can read them there.
chap=$(session_of "$IQN-chap")
expect_equal $secret "$(<"$chap/password")"
expect_equal $mutual "$(<"$chap/password_in")"
as_nobody cat "$chap/targetname" >/dev/null
for file in password password_in; do ! as_nobody cat "$chap/$file" 2>/dev/null || fail "a user can read $file"; done
daemon_stop
rm -rf /run/iscsi-admin/sessions

start_iscsid 'node.session.timeo.replacement_timeout = 120'
PATH=/opt/open-iscsi:$PATH
# It logs in again, by what the kernel tells it.
is_logged_in() { [[ $(iscsiadm -m session -P 1 2>/dev/null | grep -c 'iSCSI Connection State: LOGGED IN$') == 2 ]]; }
wait_until 20 is_logged_in
io_goes_on
echo '--- also when the target was away'
target_kill "$TARGET"
wait_until 20 all_sessions_are FAILED 2
target_restart "$TARGET"
wait_until 30 all_sessions_are LOGGED_IN 2
io_goes_on
stop_iscsid

# And ours takes them up again.
daemon_start
monitor_start
wait_until 20 event_count_is adopted 2
expect_whole 2
io_expect_clean
expect_exit 0 iscsi-admin logout --all -q
daemon_stop
monitor_stop
