# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemons beside each other: memory with 16, 64 and 128 sessions, recovery of 64, and a restart with 16 under load.
# reference: open-iscsi
# default: no
# clock: host
# limit: 1000

COUNTS=(16 64 128) RESTARTED=16 RECOVERED=64
declare -A RESULT

# note TASK VALUE: of the one that is being measured.
note() {
  RESULT[$WHO:$1]=$2
  echo "$WHO, $1: $2"
}

# Alike for both: I/O waits 90 s for a session, a lost connection is noticed within 3 s.
theirs_start() {
  start_iscsid 'node.session.timeo.replacement_timeout = 90' 'node.conn[0].timeo.noop_out_interval = 1' \
    'node.conn[0].timeo.noop_out_timeout = 2'
}
theirs_stop() { stop_iscsid; }
theirs_login() { iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS" -l >/dev/null; }
# Their daemon refuses a logout while it logs the session in again, which it does with all of them after a restart.
theirs_logout() { wait_until 90 theirs_are_gone; }
theirs_are_gone() {
  iscsiadm -m node -u || true
  (($(session_count) == 0))
}
theirs_processes() { pidof iscsid; }
ours_start() { daemon_start; }
ours_stop() { daemon_stop; }
ours_login() { iscsi-admin login --portal "$TARGET_ADDRESS" --all -q "${QUICK[@]}"; }
ours_logout() { iscsi-admin logout --all -q; }
ours_processes() { daemon_pid; }

# memory FIELD: of all processes of the daemon, in KiB. Locked is what is in memory and stays there; VmLck would count address
# space besides that nobody has touched.
memory() {
  local process files=()
  for process in $("${WHO}_processes"); do files+=("/proc/$process/status" "/proc/$process/smaps_rollup"); done
  # A process that has ended has no such file to be read.
  { cat "${files[@]}" 2>/dev/null || true; } | awk -v field="$1:" '$1 == field { sum += $2 } END { print sum + 0 }'
}

have_disks() { (($(find /sys/block -name 'sd*' | wc -l) == $1)); }

# read_all: each disk is read once, all at the same time, past the cache.
read_all() {
  local disk readers=()
  for disk in /dev/sd*; do
    dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
    readers+=($!)
  done
  wait "${readers[@]}"
}

recover() {
  local started
  target_kill lio
  wait_until 60 all_sessions_are FAILED "$1"
  target_restart lio
  started=$EPOCHREALTIME
  if come_back "$1"; then
    read_all
    note "recovery of $1 sessions, ms" $(((${EPOCHREALTIME/./} - ${started/./}) / 1000))
    return
  fi
  [[ $WHO == theirs ]] || fail "sessions are still not back: $(session_states)"
  # Now and then open-iscsi tries for ever to bind a socket that is not connected. A new daemon logs all in again.
  note "recovery of $1 sessions, ms" '>120000'
  "${WHO}_stop"
  "${WHO}_start"
  wait_until 120 all_sessions_are LOGGED_IN "$1"
}

# come_back COUNT: soon all sessions are logged in.
come_back() {
  local end=$((EPOCHSECONDS + 120))
  until all_sessions_are LOGGED_IN "$1"; do
    ((EPOCHSECONDS < end)) || return 1
    sleep 0.05
  done
}
session_states() { sort /sys/class/iscsi_session/session*/state | uniq -c | xargs; }

restart() {
  local logins disks
  mapfile -t disks < <(cd /sys/block && printf '%s\n' sd*)
  io_start "${disks[@]}" --shared --workers 1 --pause 50
  logins=$(lio_logins)
  "${WHO}_stop"
  "${WHO}_start"
  # What is not logged in again by then is not counted.
  sleep 30
  wait_until 60 all_sessions_are LOGGED_IN "$1"
  io_goes_on
  note "restart with $1 sessions, logins" $(($(lio_logins) - logins))
  note "restart with $1 sessions, I/O gap ms" "$(io_count gap_ms)"
  io_expect_clean
}

for count in "${COUNTS[@]}"; do
  for WHO in theirs ours; do
    rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets "$TARGET_FILES"
    target_add_many lio "$count"
    lio_share_disk "$count" 8
    "${WHO}_start"
    "${WHO}_login"
    wait_until 60 all_sessions_are LOGGED_IN "$count"
    wait_until 60 have_disks "$count"
    for field in VmRSS Locked; do note "$field with $count sessions, KiB" "$(memory $field)"; done
    ((count != RECOVERED)) || recover "$count"
    ((count != RESTARTED)) || restart "$count"
    "${WHO}_logout"
    expect_sessions 0
    "${WHO}_stop"
    lio_stop
  done
done

{
  printf '%-40s %9s %9s %6s\n' "Linux $KERNEL, open-iscsi $(iscsiadm -V | cut -d' ' -f3)" ours theirs ''
  for field in VmRSS Locked; do
    for count in "${COUNTS[@]}"; do echo "$field with $count sessions, KiB"; done
  done >"$WORK/tasks"
  printf '%s\n' "recovery of $RECOVERED sessions, ms" "restart with $RESTARTED sessions, logins" \
    "restart with $RESTARTED sessions, I/O gap ms" >>"$WORK/tasks"
  while read -r task; do
    ours=${RESULT[ours:$task]} theirs=${RESULT[theirs:$task]}
    printf '%-40s %9s %9s %5sx\n' "$task" "$ours" "$theirs" "$(awk -v a="$ours" -v b="${theirs#>}" 'BEGIN { printf "%.1f", (a + 0 > 0 ? b / a : 0) }')"
  done <"$WORK/tasks"
} | tee "$OUT/table"
