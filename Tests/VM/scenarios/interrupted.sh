# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# SIGINT, SIGTERM and SIGKILL at each step of a login.
# kernels: 6.12
# limit: 120

# start_login PORT OPTION...: logs in in the background; sets LOGIN, its process.
start_login() {
  local port=$1
  shift
  # Job control: without it a shell starts background commands with SIGINT ignored.
  set -m
  iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:$port" --timeout 30 "$@" >"$OUT/stdout" 2>"$OUT/stderr" &
  LOGIN=$!
  set +m
}

# end_login SIGNAL: sends it and waits for the end; sets STATUS and ELAPSED_MS.
end_login() {
  local started=$EPOCHREALTIME
  kill -s "$1" "$LOGIN"
  STATUS=0
  wait "$LOGIN" || STATUS=$?
  ELAPSED_MS=$(((${EPOCHREALTIME/./} - ${started/./}) / 1000))
  echo "SIG$1: status $STATUS after $ELAPSED_MS ms: $(<"$OUT/stderr")"
}
sessions_are() { [[ $(session_count) == "$1" ]]; }
connects() { busybox netstat -tn | grep -q 'SYN_SENT'; }

network_up
for signal in INT TERM; do
  # Nobody answers the connection.
  path_cut 0
  start_login 3260
  wait_until 5 connects
  end_login $signal
  expect_equal 1 $STATUS
  expect_within 1000
  expect_stderr 'cancelled|interrupted'
  wait_until 5 sessions_are 0
  expect_nothing_left
  path_restore 0

  # Nobody answers the Login Request, the first and the second one.
  for steps in 'read silent' 'read answer flags=04 read silent'; do
    # shellcheck disable=SC2086
    fake_target 4000 $steps
    start_login 4000
    wait_until 5 sessions_are 1
    sleep 0.5
    end_login $signal
    expect_equal 1 $STATUS
    expect_within 1000
    expect_stderr 'cancelled|interrupted'
    wait_until 5 sessions_are 0
    expect_nothing_left 4000
  done
done

# The session is up and stays up; only the scan is given up.
logged_in() { grep -q LOGGED_IN /sys/class/iscsi_session/session*/state; }
for signal in INT TERM; do
  fake_target 4000 read answer text=TargetPortalGroupTag=1 silent
  start_login 4000 --noop-interval 2 --noop-timeout 2 --replacement-timeout 1
  wait_until 5 logged_in
  sleep 0.5
  end_login $signal
  expect_equal 1 $STATUS
  expect_stderr 'cancelled|interrupted'
  expect_sessions 1
  expect_exit 0 iscsi-admin logout --all --timeout 2
  expect_nothing_left 4000
done

# The daemon breaks off a login whose client is killed, and the next one goes.
for steps in 'read silent' 'read answer flags=04 read silent'; do
  # shellcheck disable=SC2086
  fake_target 4000 $steps
  start_login 4000
  wait_until 5 sessions_are 1
  end_login KILL
  expect_equal 137 $STATUS
  wait_until 5 sessions_are 0
  expect_nothing_left 4000
done
fake_target 4000 read answer status=0203
expect_exit 19 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000"

# As iscsiadm, while it waits for somebody to read what it has to say: no thread takes signals yet.
ln -s "$(type -P iscsi-admin)" "$WORK/iscsiadm"
for number in {1..40}; do "$WORK/iscsiadm" -m node -T "$IQN-$number" -p "$TARGET_ADDRESS" -o new >/dev/null; done
mkfifo "$WORK/pipe"
exec {pipe}<>"$WORK/pipe"
waits_to_write() {
  local call descriptor
  read -r call descriptor _ <"/proc/$LOGIN/syscall" && [[ $call == 1 && $descriptor == 0x1 ]]
}
for signal in INT TERM; do
  set -m
  "$WORK/iscsiadm" -m node -o show >"$WORK/pipe" 2>"$OUT/stderr" &
  LOGIN=$!
  set +m
  wait_until 5 waits_to_write
  end_login $signal
  case $signal in
    INT) expect_equal 1 $STATUS && expect_equal 'iscsiadm: caught SIGINT, exiting...' "$(<"$OUT/stderr")" ;;
    TERM) expect_equal 143 $STATUS && expect_equal '' "$(<"$OUT/stderr")" ;;
  esac
done
exec {pipe}>&-
rm -rf /etc/iscsi/nodes /etc/iscsi/static
