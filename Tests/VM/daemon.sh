# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Our daemon in scenarios: one at a time, DAEMON_PID is its process as long as it is to run.

# shellcheck disable=SC2034 # used by scenarios
DAEMON_PID='' MONITOR_PID='' DAEMON_SOCKET=/run/iscsi-admin/control.sock DAEMON_SESSIONS=/run/iscsi-admin/sessions

# daemon_start [ARGUMENT...]: starts it with its log in $OUT/daemon.log and returns when it takes calls.
# shellcheck disable=SC2120 # scenarios may pass some
daemon_start() {
  [[ -z $DAEMON_PID ]] || fail 'a daemon runs already'
  local started=$EPOCHREALTIME
  iscsi-admin daemon "$@" >>"$OUT/daemon.log" 2>&1 &
  DAEMON_PID=$!
  wait_until 15 daemon_listens_or_ended
  daemon_runs || fail "the daemon did not start: $(tail -3 "$OUT/daemon.log")"
  echo "daemon up in $(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) ms"
}
daemon_runs() { kill -0 "$DAEMON_PID" 2>/dev/null; }
# A socket file of a daemon that was killed stays; the kernel's list has only those that somebody listens to.
daemon_listens() { grep -q "00010000 .* $DAEMON_SOCKET\$" /proc/net/unix; }
daemon_listens_or_ended() { daemon_listens || ! daemon_runs; }

daemon_pid() { echo "$DAEMON_PID"; }

# daemon_stop [SECONDS]: SIGTERM; it must end by itself in this time with status 0.
daemon_stop() {
  local process=$DAEMON_PID status=0 started=$EPOCHREALTIME
  DAEMON_PID=''
  kill "$process" || fail 'there is no daemon to stop'
  wait_until "${1:-5}" process_ended "$process"
  wait "$process" || status=$?
  ((status == 0)) || fail "the daemon ended with status $status after SIGTERM: $(tail -3 "$OUT/daemon.log")"
  echo "daemon ended in $(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) ms"
}
process_ended() { ! kill -0 "$1" 2>/dev/null; }

# daemon_kill: kill -9; its sessions stay as they are. A thread that sleeps in the kernel for a disk may keep the process, but nothing
# that the next daemon needs.
daemon_kill() {
  # Else the shell tells of its end wherever that is noticed.
  disown "$DAEMON_PID" 2>/dev/null || true
  kill -9 "$DAEMON_PID" || fail 'there is no daemon to kill'
  wait_until 10 daemon_name_is_free
  ! process_ended "$DAEMON_PID" || wait "$DAEMON_PID" 2>/dev/null || true
  DAEMON_PID=''
}
daemon_name_is_free() { ! grep -q '@ISCSIADM_ABSTRACT_NAMESPACE' /proc/net/unix; }

# daemon_restart [kill|stop]
daemon_restart() {
  "daemon_${1:-kill}"
  # shellcheck disable=SC2119
  daemon_start
}

# daemon_end: at the end of a scenario a daemon that is to run must run, and end.
daemon_end() {
  local status=0
  [[ -n $DAEMON_PID ]] || return 0
  if ! daemon_runs; then
    wait "$DAEMON_PID" || status=$?
    echo "FAILED: the daemon ended by itself with status $status: $(tail -5 "$OUT/daemon.log")"
    return 1
  fi
  daemon_stop 10
}

# daemon_kb FIELD: VmRSS, VmLck and others of /proc/PID/status in KiB; Pss and Locked of smaps_rollup.
daemon_kb() {
  local file=status
  [[ $1 != @(Pss|Locked) ]] || file=smaps_rollup
  awk -v field="$1:" '$1 == field { print $2; exit }' "/proc/$DAEMON_PID/$file"
}
daemon_threads() { awk '/^Threads:/ { print $2 }' "/proc/$DAEMON_PID/status"; }
daemon_descriptors() {
  local files=("/proc/$DAEMON_PID/fd"/*)
  echo "${#files[@]}"
}

# monitor_start: collects the events from now on in $OUT/events (JSON, one a line).
monitor_start() {
  iscsi-admin monitor --json --after 0 >"$OUT/events" 2>"$OUT/monitor.log" &
  MONITOR_PID=$!
}
monitor_stop() {
  kill "$MONITOR_PID" 2>/dev/null || true
  wait "$MONITOR_PID" 2>/dev/null || true
  MONITOR_PID=''
}
# events KIND: how many events of this kind there were.
events() { jq -n --arg kind "$1" '[inputs | select(.kind == $kind)] | length' "$OUT/events"; }
# event_count_is KIND COUNT, has_event KIND: for wait_until.
event_count_is() { [[ $(events "$1") == "$2" ]]; }
has_event() { grep -q "\"kind\": *\"$1\"" "$OUT/events"; }
