# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Time and CPU of 64 logins and logouts, of discovering 1,000 targets, and of starting up: ours and open-iscsi's.
# reference: open-iscsi
# default: no
# limit: 1000

SESSIONS=64 TARGETS=1000 STARTS=50
declare -A RESULT

# daemon_ms: CPU time of the daemon, theirs or ours, and of the children it has reaped, in milliseconds (its clock ticks 100 times a second).
daemon_ms() {
  local fields=(0) process sum=0
  for process in $(pidof iscsid || true) ${DAEMON_PID:-}; do
    read -r -a fields <"/proc/$process/stat" 2>/dev/null || continue
    sum=$((sum + (fields[13] + fields[14] + fields[15] + fields[16]) * 10))
  done
  echo "$sum"
}

# measure WHO TASK COMMAND...: wall clock and CPU (of the command, its children and the daemon) into RESULT.
measure() {
  local who=$1 task=$2 daemon status=0 wall user system
  shift 2
  daemon=$(daemon_ms)
  TIMEFORMAT='%3R %3U %3S'
  { time "$@" >"$OUT/stdout" 2>"$OUT/stderr" || status=$?; } 2>"$OUT/time"
  read -r wall user system <"$OUT/time"
  ((status == 0)) || fail "$who, $task: status $status: $(tail -3 "$OUT/stderr")"
  RESULT[$who:$task:wall]=$((10#${wall/./}))
  RESULT[$who:$task:cpu]=$((10#${user/./} + 10#${system/./} + $(daemon_ms) - daemon))
  echo "$who, $task: ${RESULT[$who:$task:wall]} ms, CPU ${RESULT[$who:$task:cpu]} ms"
}

# has_disks COUNT: so many disks of iSCSI sessions are there (no process is started to count them).
has_disks() {
  local disks=(/sys/block/sd*)
  [[ -e ${disks[0]} ]] || disks=()
  ((${#disks[@]} == $1))
}

wait_for_disks() {
  until has_disks "$1"; do sleep 0.1; done
}

# many COUNT COMMAND...: runs it so often.
many() {
  local count=$1
  shift
  for ((; count > 0; count--)); do "$@"; done
}

their_login() {
  iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS" -l
  wait_for_disks $SESSIONS
}
our_login() {
  iscsi-admin login --portal "$TARGET_ADDRESS" --all
  wait_for_disks $SESSIONS
}

# row TASK: both sides and how many times less ours needs.
row() {
  local task=$1 key cells=() ours theirs
  for key in wall cpu; do
    ours=${RESULT[ours:$task:$key]:-} theirs=${RESULT[theirs:$task:$key]:-}
    cells+=("$(seconds "$ours")" "$(seconds "$theirs")" "$(ratio "$ours" "$theirs")")
  done
  printf '%-36s %9s %9s %6s   %9s %9s %6s\n' "$task" "${cells[@]}"
}
seconds() {
  [[ -n $1 ]] && printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)) || printf -- -
}
ratio() {
  [[ -n $1 && -n $2 ]] && awk -v ours="$1" -v theirs="$2" 'BEGIN { printf "%.1fx", theirs / (ours > 0 ? ours : 1) }' || printf -- -
}

login="log in $SESSIONS sessions, with disks" logout="log out $SESSIONS sessions"
discover="discover $TARGETS targets" start="start $STARTS times" record="discover and record $TARGETS targets"

for ((number = 1; number <= SESSIONS; number++)); do
  target_start lio --name "$IQN-$number" --lun 1
done
start_iscsid
measure theirs "$login" their_login
measure theirs "$logout" iscsiadm -m node -u
measure theirs "$start" many $STARTS iscsiadm -V
stop_iscsid
expect_sessions 0
if [[ -x /usr/bin/iscsi-admin ]]; then
  daemon_start
  measure ours "$login" our_login
  measure ours "$logout" iscsi-admin logout --all
  daemon_stop
  measure ours "$start" many $STARTS iscsi-admin version
fi
lio_stop

target_add_many lio $TARGETS
rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
start_iscsid
measure theirs "$discover" iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS" -o nonpersistent
expect_equal $TARGETS "$(grep -c "$IQN-" "$OUT/stdout")"
measure theirs "$record" iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS"
stop_iscsid
if [[ -x /usr/bin/iscsi-admin ]]; then
  measure ours "$discover" iscsi-admin discover "$TARGET_ADDRESS"
  expect_equal $TARGETS "$(grep -c "$IQN-" "$OUT/stdout")"
fi

{
  echo "Seconds; Linux $KERNEL under emulation; open-iscsi is $(iscsiadm -V | cut -d' ' -f3)"
  printf '%-36s %9s %9s %6s   %9s %9s %6s\n' '' 'wall ours' theirs '' 'CPU ours' theirs ''
  for task in "$login" "$logout" "$discover" "$record" "$start"; do row "$task"; done
} | tee "$OUT/table"
