# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Times of ours and of open-iscsi's beside each other, for the benchmarks.

declare -A RESULT ALL

# daemon_us: CPU time of the daemon, theirs or ours, in microseconds, and of the children it has reaped, whose clock ticks 100 times a second.
daemon_us() {
  local fields=(0) process sum=0
  for process in $(pidof iscsid || true) ${DAEMON_PID:-}; do
    read -r -a fields <"/proc/$process/stat" 2>/dev/null || continue
    sum=$((sum + $(stopwatch --of "$process" || echo 0) + (fields[15] + fields[16]) * 10000))
  done
  echo "$sum"
}

# measure WHO TASK COMMAND...: wall clock and CPU (of the command, its children and the daemon) into RESULT, in microseconds. What is
# measured several times has the median of each. A function runs in the shell, and what it starts takes a fork of that more each time.
measure() {
  local who=$1 task=$2 daemon status=0 wall cpu user system
  shift 2
  daemon=$(daemon_us)
  rm -f "$OUT/time"
  if [[ $(type -t "$1") == file ]]; then
    stopwatch "$OUT/time" "$@" >"$OUT/stdout" 2>"$OUT/stderr" || status=$?
  else
    TIMEFORMAT='%3R %3U %3S'
    { time "$@" >"$OUT/stdout" 2>"$OUT/stderr" || status=$?; } 2>"$OUT/time"
  fi
  ((status == 0)) || fail "$who, $task: status $status: $(tail -3 "$OUT/stderr")"
  read -r wall user system <"$OUT/time"
  [[ $wall != *.* ]] || wall=$((10#${wall/./} * 1000)) user=$((10#${user/./} * 1000)) system=$((10#${system/./} * 1000))
  cpu=$((user + system + $(daemon_us) - daemon))
  echo "$who, $task: $wall us, CPU $cpu us"
  note "$who:$task:wall" "$wall"
  note "$who:$task:cpu" "$cpu"
}

# note WHAT NUMBER: one more result.
note() {
  local sorted
  ALL[$1]="${ALL[$1]:-} $2"
  read -r -a sorted <<<"$(tr ' ' '\n' <<<"${ALL[$1]# }" | sort -n | tr '\n' ' ')"
  RESULT[$1]=${sorted[(${#sorted[@]} - 1) / 2]}
}

# many COUNT COMMAND...: runs it so often.
many() {
  local count=$1
  shift
  for ((; count > 0; count--)); do "$@"; done
}

heading() {
  echo "Seconds; Linux $KERNEL under emulation; open-iscsi is $(/opt/open-iscsi/iscsiadm -V | cut -d' ' -f3)"
  printf '%-36s %9s %9s %6s   %9s %9s %6s\n' '' 'wall ours' theirs '' 'CPU ours' theirs ''
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
  [[ -n $1 ]] && printf '%d.%04d' $(($1 / 1000000)) $(($1 % 1000000 / 100)) || printf -- -
}
ratio() {
  [[ -n $1 && -n $2 ]] && awk -v ours="$1" -v theirs="$2" 'BEGIN { printf "%.1fx", theirs / (ours > 0 ? ours : 1) }' || printf -- -
}
