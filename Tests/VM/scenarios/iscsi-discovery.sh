# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's script iscsi_discovery prints and leaves the same over our iscsiadm and iscsid as over open-iscsi's, and so does the
# program that we have for it.
# kernels: 6.12
# default: no
# daemon: no
# limit: 150

# shellcheck source=Tests/VM/debian.sh
source /vm/debian.sh

# Where each tool has its daemon and its iscsiadm, and what is called iscsi_discovery there: the script, over both, or our program.
declare -A PROGRAMS=([theirs]=/opt/open-iscsi [ours]=$WORK/ours [program]=$WORK/ours)
declare -A DISCOVERY=([theirs]=$DEBIAN/sbin/iscsi_discovery [ours]=$DEBIAN/sbin/iscsi_discovery [program]=$WORK/ours/iscsi_discovery)

# note_state: the records and sessions that there are.
note_state() {
  find /etc/iscsi -mindepth 1 ! -name iscsid.conf -exec ls -ld {} + | awk '{ print "@", $1, $9, $10, $11 }' | sort -k 3
  find /etc/iscsi -type f ! -name '*.*' -exec grep -H . {} + | sort
  cat /sys/class/iscsi_session/*/targetname 2>/dev/null | sed 's/^/@ session /' || true
}

# discover ARGUMENT...: runs it in the tool of now and adds to its transcript. Numbers of sessions count from the first one.
discover() {
  local status=0 program=${DISCOVERY[$TOOL]}
  # `pidof` as Debian has it.
  PATH=${PROGRAMS[$TOOL]}:$DEBIAN/bin:$PATH "$program" "$@" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
  {
    echo "\$ $*"
    sed "s|$program|iscsi_discovery|; s/^/> /" "$WORK/stdout"
    sed "s|^$program|iscsi_discovery|; s/^/! /" "$WORK/stderr"
    echo "= $status"
    note_state
  } >>"$OUT/$TOOL"
}

# leave: no session and no record is left, by the tool's own means.
leave() {
  [[ $(session_count) == 0 ]] || "${PROGRAMS[$TOOL]}/iscsiadm" -m session -u >>"$WORK/leave" 2>&1
  expect_sessions 0
  rm -rf /etc/iscsi/{nodes,send_targets,ifaces,static}
}

# run_tool: all the calls.
run_tool() {
  echo '--- without a daemon' >>"$OUT/$TOOL"
  discover "$TARGET_ADDRESS"
  # From now on with one, from the same number of the kernel's on.
  modprobe -r iscsi_tcp libiscsi scsi_transport_iscsi
  modprobe -a iscsi_tcp
  if [[ $TOOL == theirs ]]; then
    start_iscsid
  else
    PATH=$WORK/ours:$PATH setsid iscsid -f >"$OUT/$TOOL.log" 2>&1 &
    # shellcheck disable=SC2034 # for daemon_stop
    DAEMON_PID=$!
    wait_until 15 daemon_listens
  fi
  echo '--- with one' >>"$OUT/$TOOL"
  # What is no command line.
  discover
  discover target
  discover 10.0.0
  discover 10.0.0.256
  discover "$TARGET_ADDRESS" -x
  discover "$TARGET_ADDRESS" -p
  # Nobody is there.
  discover "$TARGET_ADDRESS" -p 3261
  leave
  # One target takes us, the other wants a password.
  discover "$TARGET_ADDRESS"
  leave
  discover "$TARGET_ADDRESS" -d -p 3262
  leave
  discover "$TARGET_ADDRESS" -m
  leave
  # Another transport, which the machine has not, with and without going back to TCP.
  discover "$TARGET_ADDRESS" -t iser
  leave
  discover "$TARGET_ADDRESS" -f -t iser
  leave
  discover "$TARGET_ADDRESS" -l
  # There is a session with this portal now.
  discover "$TARGET_ADDRESS" -l
  leave
  if [[ $TOOL == theirs ]]; then
    stop_iscsid
  else
    daemon_stop
  fi
}

target_start tgt --portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS:3262"
target_start tgt --name "$IQN-secret" --user alice --secret wonderland12
mkdir "$WORK/ours"
for name in iscsiadm iscsid iscsi_discovery; do ln -s "$(type -P iscsi-admin)" "$WORK/ours/$name"; done

for TOOL in theirs ours program; do run_tool; done
cat "$OUT/theirs"
grep -q "^> Set target $IQN to automatic login over tcp to portal $TARGET_ADDRESS:3260\$" "$OUT/theirs" || fail 'the reference has found nothing'
diff "$OUT/theirs" "$OUT/ours" || fail 'the script prints or leaves something else'
diff "$OUT/theirs" "$OUT/program" || fail 'our program prints or leaves something else'
