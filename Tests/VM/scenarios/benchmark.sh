# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Time and CPU of 64 logins and logouts, of discovering 1,000 targets, and of starting up: ours and open-iscsi's.
# reference: open-iscsi
# default: no
# clock: host
# limit: 1000

SESSIONS=64 TARGETS=1000 STARTS=50 TIMES=3
# shellcheck source=Tests/VM/measure.sh
source /vm/measure.sh

# has_disks COUNT: so many disks of iSCSI sessions are there (no process is started to count them).
has_disks() {
  local disks=(/sys/block/sd*)
  [[ -e ${disks[0]} ]] || disks=()
  ((${#disks[@]} == $1))
}

wait_for_disks() {
  until has_disks "$1"; do sleep 0.1; done
}

their_login() {
  iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS" -l
  wait_for_disks $SESSIONS
}
our_login() {
  iscsi-admin login --portal "$TARGET_ADDRESS" --all
  wait_for_disks $SESSIONS
}

login="log in $SESSIONS sessions, with disks" logout="log out $SESSIONS sessions"
discover="discover $TARGETS targets" start="start $STARTS times" record="discover and record $TARGETS targets"

for ((number = 1; number <= SESSIONS; number++)); do
  target_start lio --name "$IQN-$number" --lun 1
done
start_iscsid
for ((time = 0; time < TIMES; time++)); do
  measure theirs "$login" their_login
  measure theirs "$logout" iscsiadm -m node -u
done
measure theirs "$start" many $STARTS iscsiadm -V
stop_iscsid
expect_sessions 0
if [[ -x /usr/bin/iscsi-admin ]]; then
  daemon_start
  for ((time = 0; time < TIMES; time++)); do
    measure ours "$login" our_login
    measure ours "$logout" iscsi-admin logout --all
  done
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
  echo "Logins and logouts: the median of $TIMES runs."
  heading
  for task in "$login" "$logout" "$discover" "$record" "$start"; do row "$task"; done
} | tee "$OUT/table"
