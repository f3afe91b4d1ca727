# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What a scenario may use besides network.sh and targets.sh. Set by the runner: NAME, TARGET (tgt, lio or empty), KERNEL,
# OUT (files left there come back to the host), WORK (scratch, wiped), ISCSI_ADMIN_PRESENT.

# shellcheck disable=SC2034 # used by scenarios
IQN=iqn.2026-11.org.example:disk
INITIATOR_IQN=iqn.2026-11.org.example:initiator

# --- assertions: all end the scenario with a reason

fail() {
  echo "FAILED: $*"
  exit 1
}

# skip REASON: the scenario cannot run on this kernel or without the executable; counts as passed, the reason is printed.
skip() {
  echo "skipped: $*"
  exit 77
}

# run COMMAND...: runs it with its output in $OUT/stdout and $OUT/stderr, shows it, sets STATUS; never fails itself.
run() {
  local started=$EPOCHREALTIME
  STATUS=0
  "$@" >"$OUT/stdout" 2>"$OUT/stderr" || STATUS=$?
  ELAPSED_MS=$(((${EPOCHREALTIME/./} - ${started/./}) / 1000))
  echo "\$ $*"
  head -c 4000 "$OUT/stdout"
  # Not cut by a pipe: its writer would be killed, and pipefail is set.
  head -c 4000 "$OUT/stderr" | sed 's/^/! /'
  echo "= $STATUS after $ELAPSED_MS ms"
}

# expect_exit CODE COMMAND...; CODE may be several, as 8|11
expect_exit() {
  local code=$1
  shift
  run "$@"
  [[ $STATUS =~ ^($code)$ ]] || fail "expected exit status $code, got $STATUS: $*"
}

# expect_stdout REGEX, expect_stderr REGEX: about the last command run.
expect_stdout() {
  grep -Eq -- "$1" "$OUT/stdout" || fail "no line of standard output matches: $1"
}
expect_stderr() {
  grep -Eq -- "$1" "$OUT/stderr" || fail "no line of standard error matches: $1"
}
expect_silent_stdout() {
  [[ ! -s $OUT/stdout ]] || fail 'expected nothing on standard output'
}
expect_silent_stderr() {
  [[ ! -s $OUT/stderr ]] || fail 'expected nothing on standard error'
}

# expect_no_secret TEXT: it appears nowhere in what the last command printed.
expect_no_secret() {
  ! grep -Fq -- "$1" "$OUT/stdout" "$OUT/stderr" || fail 'a secret was printed'
}

# expect_json FILTER: the last command printed one JSON document for which the jq filter is true.
expect_json() {
  jq --exit-status "$1" "$OUT/stdout" >/dev/null || fail "the JSON printed does not satisfy: $1"
}

# expect_match REGEX TEXT, expect_equal EXPECTED ACTUAL
expect_match() {
  [[ $2 =~ $1 ]] || fail "'$2' does not match: $1"
}
expect_equal() {
  [[ $1 == "$2" ]] || fail "expected '$1', got '$2'"
}

# is_about ACTUAL EXPECTED SECONDS: the numbers, with fractions, are no further apart.
is_about() {
  jq -en "($1) - ($2) | fabs <= ($3) * ${PATIENCE:-1}" >/dev/null || fail "$1 is not within $3 s of $2"
}

# expect_within MILLISECONDS: the last command took no longer; as with all limits, PATIENCE times that on a busy host.
expect_within() {
  local limit=$(($1 * ${PATIENCE:-1}))
  ((ELAPSED_MS <= limit)) || fail "took $ELAPSED_MS ms, more than $limit ms"
}

# pause SECONDS: as sleep, without a process: reads from a pipe that nobody writes to. It is made here, as that changes $!.
exec {PAUSE_PIPE}<> <(:)
pause() { read -r -t "$1" -u "$PAUSE_PIPE" || true; }

# wait_until SECONDS CONDITION...: polls a command until it succeeds, less often what takes long: the machine has nothing else to do.
wait_until() {
  local end=$((EPOCHSECONDS + $1 * ${PATIENCE:-1})) seldom=$((EPOCHSECONDS + 3)) interval=0.05
  shift
  until "$@" >/dev/null 2>&1; do
    ((EPOCHSECONDS < end)) || fail "did not happen in time: $*"
    pause $interval
    ((EPOCHSECONDS < seldom)) || interval=0.2
  done
}

# udev_stop: udev has ended, and its workers, which may outlive it and still change its files.
udev_stop() {
  udevadm settle --timeout=10
  udevadm control --exit
  wait_until 10 udev_has_ended
}
udev_has_ended() { ! grep -qs udev /proc/[0-9]*/comm; }

# --- the kernel's view, independent of the command under test

session_count() {
  local session count=0
  for session in /sys/class/iscsi_session/session*; do
    [[ ! -e $session ]] || count=$((count + 1))
  done
  echo "$count"
}

expect_sessions() {
  expect_equal "$1" "$(session_count)"
}

# leftovers [PORT]: what there is of connections, hosts, session records and processes of ours but the daemon, and of connections to that port.
leftovers() {
  local entry
  for entry in /sys/class/iscsi_{session,connection,host}/* /run/iscsi-admin/sessions/*; do
    [[ ! -e $entry ]] || echo "$entry"
  done
  for entry in /sys/class/scsi_host/*/proc_name; do
    [[ ! -e $entry || $(cat "$entry" 2>/dev/null) != iscsi_tcp ]] || echo "${entry%/proc_name}"
  done
  for entry in $(pidof iscsi-admin || true); do
    [[ $entry == "${DAEMON_PID:-}" || $entry == "${MONITOR_PID:-}" ]] || echo "iscsi-admin, process $entry"
  done
  busybox netstat -tn | grep -E ":${1:-3260} +(ESTABLISHED|CLOSE_WAIT)" || true
}
nothing_is_left() { [[ -z $(leftovers "$@") ]]; }

# expect_nothing_left [PORT]: there is no session, and soon nothing else: the kernel takes a host away after it has told that the
# session is gone, and of a command that was broken off the daemon clears up what is left.
expect_nothing_left() {
  local end=$((EPOCHSECONDS + 5 * ${PATIENCE:-1}))
  expect_sessions 0
  until nothing_is_left "$@"; do
    ((EPOCHSECONDS < end)) || fail "left behind: $(leftovers "$@")"
    pause 0.02
  done
}

# session_of TARGET: the directory in /sys/class/iscsi_session of a target's only session.
session_of() {
  local session found=''
  for session in /sys/class/iscsi_session/session*; do
    [[ -e $session && $(<"$session/targetname") == "$1" ]] || continue
    [[ -z $found ]] || fail "more than one session to $1"
    found=$session
  done
  [[ -n $found ]] || fail "no session to $1"
  echo "$found"
}

# connection_of TARGET: the directory in /sys/class/iscsi_connection of its session's connection.
connection_of() {
  local session
  session=$(session_of "$1")
  echo "/sys/class/iscsi_connection/connection${session##*/session}:0"
}

# sid_of TARGET: its session's number.
sid_of() {
  local session
  session=$(session_of "$1")
  echo "${session##*/session}"
}

# disks_of TARGET: the names (sda...) of the disks of a target's session, one a line, ordered by LUN.
disks_of() {
  local device
  for device in "$(session_of "$1")"/device/target*/*:*:*:*; do
    [[ -d $device/block ]] && echo "${device##*:} $(ls "$device/block")"
  done | sort -n | cut -d' ' -f2
}

# disk_of TARGET: the only disk, after it came up.
disk_of() {
  wait_until 5 disk_is_there "$1"
  disks_of "$1"
}
disk_is_there() {
  [[ $(disks_of "$1" | wc -l) == 1 && -b /dev/$(disks_of "$1") ]]
}

# disk_size DISK: in bytes.
disk_size() {
  echo $(($(<"/sys/block/$1/size") * 512))
}

# check_data DISK MIB: writes random data past the cache, reads it back past the cache, compares.
check_data() {
  local disk=/dev/$1 mib=$2
  dd if=/dev/urandom of="$WORK/data" bs=1M count="$mib" 2>/dev/null
  dd if="$WORK/data" of="$disk" bs=64k oflag=direct conv=fsync 2>/dev/null || fail "writing to $disk failed"
  dd if="$disk" bs=64k count=$((mib * 16)) iflag=direct 2>/dev/null | cmp - "$WORK/data" || fail "$disk does not give back what was written"
}

# make_file_system DISK: an empty ext4.
make_file_system() {
  mke2fs -q -F -t ext4 -E lazy_itable_init=0,nodiscard "/dev/$1" || fail "no file system on $1"
}

# --- the command under test and the reference

# password_file SECRET: a file that holds it, as the command wants it.
password_file() {
  local file
  file=$(mktemp -p "$WORK")
  printf '%s\n' "$1" >"$file"
  echo "$file"
}

# as_nobody COMMAND...: runs it as uid 65534 without capabilities.
as_nobody() {
  su -s /bin/bash nobody -c "$(printf '%q ' "$@")"
}

# start_iscsid: the reference daemon, ready for iscsiadm; its database is empty. Arguments: lines for iscsid.conf.
start_iscsid() {
  PATH=$PATH:/opt/open-iscsi
  mkdir -p /etc/iscsi /run/lock/iscsi
  {
    echo 'node.startup = manual'
    echo 'node.session.timeo.replacement_timeout = 5'
    echo 'node.conn[0].timeo.login_timeout = 5'
    echo 'node.session.initial_login_retry_max = 1'
    (($# == 0)) || printf '%s\n' "$@"
  } >/etc/iscsi/iscsid.conf
  setsid iscsid -f >"$OUT/iscsid.log" 2>&1 &
  ISCSID=$!
  wait_until 10 grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix
}

stop_iscsid() {
  kill "$ISCSID"
  wait "$ISCSID" || true
}
