# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sessions that open-iscsi left are taken over: healthy ones without a word to the target, lost ones by a login with their settings.
# targets: tgt lio
# daemon: no
# limit: 150

secret=wonderland12
target_start "$TARGET"
target_start "$TARGET" --name "$IQN-chap" --user alice --secret $secret
start_iscsid 'node.session.timeo.replacement_timeout = 77' 'node.conn[0].timeo.noop_out_interval = 1' \
  'node.conn[0].timeo.noop_out_timeout = 2'
for name in "$IQN" "$IQN-chap"; do iscsiadm -m node -T "$name" -p "$TARGET_ADDRESS" -o new >/dev/null; done
# Of tgt it is not known by which digests it can; LIO takes the one that it is offered.
settings=(authmethod=CHAP username=alice password="$secret")
[[ $TARGET != lio ]] || settings+=(chap_algs=SHA256)
for setting in "${settings[@]}"; do
  iscsiadm -m node -T "$IQN-chap" -o update -n "node.session.auth.${setting%%=*}" -v "${setting#*=}"
done
expect_exit 0 iscsiadm -m node -l
stop_iscsid
expect_sessions 2
io_start "$(disk_of "$IQN")" "$(disk_of "$IQN-chap")" --workers 1
initiator_connections >"$OUT/connections"

daemon_start
monitor_start
wait_until 10 event_count_is adopted 2
sleep 2
initiator_connections | diff "$OUT/connections" - || fail 'a healthy session was logged in again'
expect_equal 77 "$(<"$(session_of "$IQN")/recovery_tmo")"
echo '--- lost without a word to the target, which gives up the old session for the new one: the ISID is that of before'
drop_packets 0 100
wait_until 20 all_sessions_are FAILED 2
drop_packets 0 0
wait_until 30 all_sessions_are LOGGED_IN 2
io_goes_on
# tgt takes a moment to do so; later it would hear from the old connection that that has ended.
has_one_session() { [[ $(target_session_count "$TARGET" "$1") == 1 ]]; }
for name in "$IQN" "$IQN-chap"; do wait_until 2 has_one_session "$name"; done
echo '--- recovered, with CHAP where it was'
target_kill "$TARGET"
wait_until 20 all_sessions_are FAILED 2
target_restart "$TARGET"
expect_whole 2
io_goes_on
expect_equal 77 "$(<"$(session_of "$IQN-chap")/recovery_tmo")"
daemon_stop
monitor_stop
io_expect_clean

echo '--- lost before there was a daemon'
target_kill "$TARGET"
wait_until 20 all_sessions_are FAILED 2
rm -rf "$DAEMON_SESSIONS"
daemon_start
target_restart "$TARGET"
expect_whole 2
check_data "$(disk_of "$IQN-chap")" 1
echo '--- with what the kernel does not know, and its record does'
known=$(jq -c '.login | [.scan, .timeouts.login, .authentication.algorithms]' "$DAEMON_SESSIONS/$(sid_of "$IQN-chap").established")
digest=MD5
[[ $TARGET != lio ]] || digest=SHA256
expect_equal "[\"all\",5,[\"$digest\"]]" "$known"
expect_exit 0 iscsi-admin session list
! grep -rq $secret "$OUT/daemon.log" || fail 'the secret is in the log'
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
daemon_stop
