# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Metrics of a session that is used, lost and recovered, as a file and by HTTP at both kinds of socket; and watch, which shows the same.
# targets: tgt
# kernels: 6.12
# limit: 90

# scrape: what a small client gets at the loopback socket.
scrape() { printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text\r\n\r\n' | nc 127.0.0.1 9860 >"$OUT/scraped"; }
# shows REGEX: there is such a line now.
shows() { scrape && grep -Eq "^$1\$" "$OUT/scraped"; }

expect_exit 7 iscsi-admin metrics --listen 0.0.0.0:9860
expect_stderr 'can be reached from other machines'
ip link set lo up
target_start tgt
monitor_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
SID=$(sid_of "$IQN")
iscsi-admin metrics --listen 127.0.0.1:9860 &
SERVER=$!
wait_until 10 scrape
head -c 17 "$OUT/scraped" | grep -q 'HTTP/1.1 200 OK' || fail 'no answer'
tail -1 "$OUT/scraped" | grep -qx '# EOF' || fail 'no end'
# A client that says nothing disturbs nobody.
sleep 60 | nc 127.0.0.1 9860 >/dev/null &
SILENT=$!
wait_until 5 shows 'iscsi_session_state\{.*,state="operational"\} 1'
before=$(sed -n 's/^iscsi_session_received_bytes_total{.*} //p' "$OUT/scraped")
dd if="/dev/$(disk_of "$IQN")" of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null
scrape
after=$(sed -n 's/^iscsi_session_received_bytes_total{.*} //p' "$OUT/scraped")
((after - before >= 4 << 20)) || fail "4 MiB were read, and $before became $after"

expect_exit 0 iscsi-admin session show "$SID" --json
expect_json '.sessions[0].counters | any(.name == "rxdata_octets" and .value >= 4194304)'
expect_exit 0 iscsi-admin session show "$SID" --verbose
expect_stdout '^ *rxdata_octets +[0-9]+$'
expect_exit 0 iscsi-admin session show "$SID" --json --socket /nowhere
expect_json '.sessions[0] | has("counters") | not'

target_kill tgt
wait_until 15 shows 'iscsi_session_state\{.*,state="recovering"\} 1'
wait_until 5 shows 'iscsi_session_io\{.*,io="waits"\} 1'
# number NAME: the value of the only series of this name.
number() { sed -n "s/^$1{.*} //p" "$OUT/scraped"; }
# QUICK has the timeout.
is_about "$(number iscsi_session_io_deadline_timestamp_seconds) - $(number iscsi_session_outage_start_timestamp_seconds)" 90 0.1
is_about "$(number iscsi_session_io_deadline_timestamp_seconds)" \
  "$(iscsi-admin session show "$SID" --json | jq '.sessions[0].status.deadlineUnixSeconds')" 0.1
target_restart tgt
wait_until 30 shows 'iscsi_session_recoveries_total\{.*\} 1'
grep -Eq '^iscsi_session_last_outage_duration_seconds\{' "$OUT/scraped" || fail 'no duration'
kill "$SERVER" "$SILENT"
wait "$SERVER" || fail 'the server did not end well'

expect_exit 0 iscsi-admin metrics --output "$OUT/iscsi.prom"
grep -q '^# TYPE iscsi_session_recoveries_total counter' "$OUT/iscsi.prom" || fail 'not the form of the textfile collector'
iscsi-admin metrics --listen "unix:$WORK/metrics.sock" &
SERVER=$!
wait_until 10 test -S "$WORK/metrics.sock"
kill "$SERVER"
wait "$SERVER" || fail 'the server did not end well'
[[ ! -e $WORK/metrics.sock ]] || fail 'the socket is left behind'

timeout -s INT 4 iscsi-admin watch >"$OUT/watch" || true
grep -q "session $SID .*: operational, I/O flows" "$OUT/watch" || fail 'watch shows nothing'
expect_logged_out
