# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sessions of open-iscsi are ours to list, rescan and end, ours are listed by it, and both have the same settings in the kernel.
# targets: tgt lio
# daemon: no
# limit: 90

# settings TARGET: every attribute of its session and connection, but what differs from one session to the next.
settings() {
  local session directory file
  session=$(session_of "$1")
  for directory in "$session" "$(connection_of "$1")"; do
    for file in "$directory"/*; do
      case ${file##*/} in
        uevent | creator | isid | local_port | exp_statsn | username* | password*) continue ;;
        # What iscsi_tcp does not use. Both sides say Yes, but open-iscsi takes LIO's answer for a No.
        data_pdu_in_order | data_seq_in_order) [[ $TARGET == tgt ]] || continue ;;
      esac
      [[ -f $file ]] && echo "${file##*/}=$(cat "$file" 2>/dev/null)"
    done
  done | sort
}

target_start "$TARGET"
start_iscsid 'node.session.timeo.replacement_timeout = 120'
iscsiadm -m node -T "$IQN" -p "$TARGET_ADDRESS" -o new >/dev/null
expect_exit 0 iscsiadm -m node -T "$IQN" -l
disk=$(disk_of "$IQN")
settings "$IQN" >"$OUT/theirs"
stop_iscsid
daemon_start

expect_exit 0 iscsi-admin session list
expect_stdout "LOGGED_IN +up +$TARGET_ADDRESS:3260,1 +$IQN +$disk"
expect_exit 0 iscsi-admin session show "$(sid_of "$IQN")"
expect_stdout '^ *Replacement +120 s$'
expect_exit 15 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
target_resize "$TARGET" "$IQN" "$(first_lun "$TARGET")" 32
expect_exit 0 iscsi-admin session rescan "$(sid_of "$IQN")"
has_size() { [[ $(disk_size "$disk") == "$(($1 << 20))" ]]; }
wait_until 5 has_size 32
check_data "$disk" 1
expect_exit 0 iscsi-admin logout "$IQN"
expect_silent_stderr
expect_nothing_left

expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
disk=$(disk_of "$IQN")
settings "$IQN" >"$OUT/ours"
expect_exit 0 iscsiadm -m session
expect_stdout "^tcp: \[$(sid_of "$IQN")\] $TARGET_ADDRESS:3260,1 $IQN "
expect_exit 0 iscsiadm -m session -P 3
expect_stdout "Target: $IQN "
expect_stdout "Current Portal: $TARGET_ADDRESS:3260,1"
expect_stdout "Persistent Portal: $TARGET_ADDRESS:3260,1"
expect_stdout "Iface Name: default"
expect_stdout "Iface Initiatorname: $INITIATOR_IQN"
expect_stdout "Attached scsi disk $disk.*State: running"
diff "$OUT/theirs" "$OUT/ours" >"$OUT/differences" || true
cat "$OUT/differences"
[[ ! -s $OUT/differences ]] || fail 'the same settings give other values than with open-iscsi'
expect_exit 0 iscsi-admin logout "$IQN"
expect_exit 21 iscsiadm -m session
daemon_stop
