# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Runs files of cases with one tool and writes a transcript for each group. A file of cases:
#
#   "== NAME: STATE..."       a group: its lines run in order from a database that these states have made (states.sh)
#   "-m node -T $T -o show"   a command line of iscsiadm, as the shell would take it
#   "! rm -rf $NODES/$T"      a set-up step, run by the shell; what it prints and changes does not count
#   "? cat /etc/iscsi/x"      a question to the shell whose answer counts
#   "LINE ~ ID"               a line, or a group with all its lines, that differs for the reason of this row of docs/compatibility.md
#   "# ..."                   a comment
#
# A transcript has a block for each command line and question: "$ " or "? " and the line, "> " standard output, "! " standard error,
# "= " the exit status, "@ " what has changed in the database and of the kernel's sessions. What follows a NUL in a line is lost.

# A command line that takes longer is killed, with status 137.
COMMAND_LIMIT=60
SCRATCH=$WORK/differential

# --- the tools

# tool_start / tool_stop: the daemon of $TOOL, ready; the second also when it does not run.
tool_start() {
  if [[ $TOOL == reference ]]; then start_iscsid; else daemon_start >>"$LOG"; fi
}
tool_stop() {
  if [[ $TOOL == reference ]]; then
    kill "$ISCSID" 2>/dev/null || true
    wait "$ISCSID" 2>/dev/null || true
    ISCSID=''
  else
    [[ -z $DAEMON_PID ]] || kill "$DAEMON_PID" 2>/dev/null || true
    wait "$DAEMON_PID" 2>/dev/null || true
    DAEMON_PID=''
  fi
}
tool_daemon() { if [[ $TOOL == reference ]]; then echo "${ISCSID:-}"; else echo "$DAEMON_PID"; fi; }
tool_runs() {
  local process
  process=$(tool_daemon)
  [[ -n $process ]] && kill -0 "$process" 2>/dev/null
}
# daemon_has_ended: for steps after -k 0.
# tool_start_again: with the settings of now, which tool_start would write anew.
tool_start_again() {
  tool_stop
  if [[ $TOOL == reference ]]; then
    setsid iscsid -f >>"$OUT/iscsid.log" 2>&1 &
    ISCSID=$!
    wait_for 100 grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix
  else
    daemon_start >>"$LOG"
  fi
}
daemon_has_ended() { wait_for 50 tool_has_ended; }
tool_has_ended() { ! tool_runs; }

# sessions_end: none is left, by whatever means the tool has; a daemon that has just started may still be recovering them.
sessions_end() {
  local try
  for try in 1 2 3 4 5 6; do
    if [[ $TOOL == reference ]]; then iscsiadm -m session -u; else iscsi-admin logout --all; fi >>"$LOG" 2>&1 || true
    wait_for 20 session_count_is 0 && return
    echo "$GROUP: sessions are left after try $try" >>"$LOG"
  done
  fail "$TOOL: sessions are left after $GROUP"
}

# last_session: the kernel's word, with its time, of the session it made last, also one that failed: each has a SCSI host.
last_session() { dmesg | grep 'scsi host[0-9]*: iSCSI Initiator over TCP/IP' | tail -n 1 || true; }

# kernel_fresh: no session, a daemon that runs, and session numbers that begin at 1.
kernel_fresh() {
  local last
  tool_runs || { tool_stop; tool_start; }
  [[ $(session_count) == 0 ]] || sessions_end
  last=$(last_session)
  [[ $last != "$LAST_SESSION" ]] || return 0
  tool_stop
  wait_for 50 modprobe -r iscsi_tcp libiscsi scsi_transport_iscsi || fail "$TOOL: the modules cannot be removed after $GROUP"
  modprobe -a iscsi_tcp
  tool_start
  LAST_SESSION=$last
}

# --- what is compared

# note_lines PREFIX FILE: its lines, each with the prefix, to the transcript.
note_lines() {
  local lines
  mapfile lines <"$2"
  ((${#lines[@]})) || return 0
  printf '%s' "${lines[@]/#/$1}"
  [[ ${lines[-1]} == *$'\n' ]] || printf '\n%s\n' '\ no newline at the end'
}

# list_sessions: the kernel's, a line each.
list_sessions() {
  local session name address port tpgt iface
  for session in /sys/class/iscsi_session/session*; do
    [[ -e $session ]] || continue
    {
      read -r name <"$session/targetname"
      read -r tpgt <"$session/tpgt"
      read -r iface <"$session/ifacename"
      read -r address <"/sys/class/iscsi_connection/connection${session##*/session}:0/persistent_address"
      read -r port <"/sys/class/iscsi_connection/connection${session##*/session}:0/persistent_port"
    } 2>/dev/null || continue
    echo "${session##*/session} $name $address,$port,$tpgt $iface"
  done
}

# note_changes [files]: what is different since the last call, of all files and, unless only these, of the sessions.
note_changes() {
  local paths
  [[ ${1:-} == files ]] || list_sessions >"$SCRATCH/sessions"
  shopt -s globstar dotglob
  paths=(/etc/iscsi/** /run/lock/iscsi/lock.*)
  shopt -u globstar dotglob
  [[ -e ${paths[-1]} ]] || unset 'paths[-1]'
  # A path that vanishes or is none of a tree is no failure.
  { stat -c '%A %s %N' "${paths[@]}" 2>/dev/null || true; } \
    | awk -f /vm/differential/changes.awk -v root=/etc/iscsi/ -v before="$SCRATCH/before" -v after="$SCRATCH/after" \
      -v sessions="$SCRATCH/sessions"
  mv "$SCRATCH/after" "$SCRATCH/before"
}

# note_block SIGN LINE COMMAND: runs it and writes its block. What steps have changed since the last one does not count.
note_block() {
  local status=0
  [[ $STEPPED == no ]] || note_changes >/dev/null
  STEPPED=no
  eval "$3" >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" </dev/null || status=$?
  {
    echo "$1 $2"
    note_lines '> ' "$SCRATCH/stdout"
    note_lines '! ' "$SCRATCH/stderr"
    echo "= $status"
    # Sessions that nobody waits for come when they come.
    if [[ " $2 " == *' -W '* || " $2 " == *' --no_wait '* ]]; then
      note_changes files
      STEPPED=yes
    else
      note_changes
    fi
  } >>"$TRANSCRIPT"
}

# --- groups

# group_begin NAME STATE...
group_begin() {
  local name=$1 state
  shift
  # First for the daemon that may start, and then of what it writes.
  database_clean
  kernel_fresh
  database_clean
  TRANSCRIPT=$DIRECTORY/$name.txt GROUP=$name BEGAN=$SECONDS
  for state in "$@"; do step "state_${state//-/_}"; done
  : >"$SCRATCH/before"
  echo "== $name: $*" >"$TRANSCRIPT"
}

# group_end: also the daemon counts.
group_end() {
  [[ -n $TRANSCRIPT ]] || return 0
  note_block '?' 'the daemon' 'if tool_runs; then echo runs; else echo "does not run"; fi'
  TRANSCRIPT=''
  ((SECONDS - BEGAN < 10)) || echo "$GROUP: took $((SECONDS - BEGAN)) s" >>"$LOG"
}

# step COMMAND: what it fails at ends neither the scenario nor the group; only the daemon is this shell's.
step() {
  STEPPED=yes
  case $1 in
    tool_* | state_no_daemon) eval "$1" ;;
    *) (eval "$1") ;;
  esac >>"$LOG" 2>&1 || echo "$GROUP: failed: $1" >>"$LOG"
}

# run_line LINE: of a group; MARK is the group's.
run_line() {
  local line=$1 text mark=$MARK
  text=$line
  if [[ $line =~ ^(.*[^ ])\ +~\ ([a-z-]+)$ ]]; then
    text=${BASH_REMATCH[1]} mark=${BASH_REMATCH[2]}
  fi
  case $line in
    '! '*) step "${line#! }" ;;
    '? '*) note_block '?' "${text#? }${mark:+ ~ $mark}" "(${text#? })" ;;
    *) note_block '$' "iscsiadm $text${mark:+ ~ $mark}" "timeout -s KILL $COMMAND_LIMIT iscsiadm $text" ;;
  esac
}

# run_cases TOOL NAME PATTERN FILE...: the groups whose name matches, with reference or ours; transcripts in $OUT/NAME.
run_cases() {
  TOOL=$1 DIRECTORY=$OUT/$2 GROUP='the start' MARK='' LAST_SESSION=none TRANSCRIPT='' STEPPED=yes
  local pattern=$3 file line lines header selected=no started=$SECONDS path=$PATH label=$2
  shift 3
  LOG=$DIRECTORY.log
  mkdir -p "$DIRECTORY" "$SCRATCH"
  if [[ $TOOL == reference ]]; then
    PATH=/opt/open-iscsi:$PATH
  else
    mkdir -p "$SCRATCH/bin"
    ln -sf /usr/bin/iscsi-admin "$SCRATCH/bin/iscsiadm"
    PATH=$SCRATCH/bin:$PATH
  fi
  trap tool_stop EXIT
  database_clean
  tool_start
  for file in "$@"; do
    mapfile -t lines <"$file"
    for line in "${lines[@]}"; do
      case $line in
        '' | '#'*) ;;
        '== '*)
          header=${line#== } MARK=''
          [[ $header != *' ~ '* ]] || { MARK=${header##* ~ } header=${header%% ~ *}; }
          group_end
          selected=no
          # shellcheck disable=SC2053 # a pattern
          [[ ${header%%:*} == $pattern ]] || continue
          selected=yes
          # shellcheck disable=SC2086 # words
          group_begin "${header%%:*}" ${header#*:}
          ;;
        *) [[ $selected == no ]] || run_line "$line" ;;
      esac
    done
  done
  group_end
  GROUP='the end'
  database_clean
  kernel_fresh
  tool_stop
  trap - EXIT
  PATH=$path
  awk -f /vm/differential/normalise.awk "$DIRECTORY"/*.txt
  for file in "$DIRECTORY"/*.txt; do mv "$file.new" "$file"; done
  echo "$label: $(cat "$DIRECTORY"/*.txt | grep -c '^\$ ') command lines in $((SECONDS - started)) s"
}
