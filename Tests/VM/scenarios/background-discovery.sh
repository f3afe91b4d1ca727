# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon repeats a discovery as soon as its record says so: it logs in to what is new, and out of what is gone unless it is in use;
# who does not answer has not said that anything is gone.
# targets: tgt
# kernels: 6.12
# limit: 120

modprobe ext4 || true
TWO=iqn.2026-11.org.example:two THREE=iqn.2026-11.org.example:three
is_logged_in() { grep -qsx "$1" /sys/class/iscsi_session/session*/targetname; }
is_logged_out() { ! is_logged_in "$1"; }
is_up() { [[ $(<"$(session_of "$1")/state") == LOGGED_IN ]]; }
record_of() { echo "/etc/iscsi/nodes/$1/$TARGET_ADDRESS,3260,1/default"; }
is_forgotten() { [[ ! -e $(record_of "$1") ]]; }
# has_logged REGEX [COUNT]
has_logged() { (($(grep -Ec -- "$1" "$OUT/daemon.log" || true) >= ${2:-1})); }
repeat() {
  expect_exit 0 iscsi-admin discovery set "$TARGET_ADDRESS" "discovery.sendtargets.use_discoveryd=$1" \
    discovery.sendtargets.discoveryd_poll_inval=1
}

# What is found is kept, with what is edited in it, however often.
target_start "$TARGET"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
expect_stdout "^discovery sendtargets at $TARGET_ADDRESS:3260: created$"
expect_stdout "^$IQN at $TARGET_ADDRESS:3260,1 over default: created$"
expect_exit 0 iscsi-admin node set "$IQN" node.session.queue_depth=7
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save --quiet
expect_silent_stdout

# A record that knows another portal group tag than the target tells now gets that, and stays one.
place=$(dirname "$(record_of "$IQN")")
mv "$place" "${place%,1},7"
sed -i 's/^node.tpgt = 1$/node.tpgt = 7/' "${place%,1},7/default"
links=/etc/iscsi/send_targets/$TARGET_ADDRESS,3260
rm "$links/$IQN,$TARGET_ADDRESS,3260,1,default"
ln -s "${place%,1},7" "$links/$IQN,$TARGET_ADDRESS,3260,7,default"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
expect_stdout "^$IQN at $TARGET_ADDRESS:3260,1 over default: changed$"
expect_stdout '^  node.tpgt: 7 -> 1$'
expect_equal "$TARGET_ADDRESS,3260,1" "$(ls "$(dirname "$place")")"

# A daemon that runs notices the record, and logs in by the node's own.
repeat Yes
wait_until 15 is_logged_in "$IQN"
disk=$(disk_of "$IQN")
grep -qx 'node.session.queue_depth = 7' "$(record_of "$IQN")" || fail 'the edit is lost'
expect_equal 7 "$(<"/sys/block/$disk/device/queue_depth")"
make_file_system "$disk"
mkdir -p "$WORK/mounted"
mount "/dev/$disk" "$WORK/mounted"
mounted=$(sid_of "$IQN")

# What comes is logged in to, and what goes is logged out of and forgotten.
target_start "$TARGET" --name $TWO
wait_until 10 is_logged_in $TWO
[[ -e $(record_of $TWO) ]] || fail 'there is no record'
check_data "$(disk_of $TWO)" 1
target_hide "$TARGET" $TWO
wait_until 30 is_logged_out $TWO
wait_until 5 is_forgotten $TWO
target_unhide "$TARGET" $TWO
wait_until 10 is_logged_in $TWO
second=$(sid_of $TWO)

# A disk in use stays, with its session and its record.
target_hide "$TARGET" "$IQN"
wait_until 30 has_logged "$IQN .* is gone and stays: .*mounted"
is_logged_in "$IQN" || fail 'a session was logged out of whose disk is mounted'
! is_forgotten "$IQN" || fail 'the record of a session is gone'
# An answer without any target may come from one that starts: nothing follows for a minute.
target_hide "$TARGET" $TWO
expect_exit 21 iscsi-admin discover "$TARGET_ADDRESS"
sleep 3
is_logged_in $TWO || fail 'a session was logged out of after an answer without targets'
target_unhide "$TARGET" $TWO
target_unhide "$TARGET" "$IQN"
wait_until 15 is_up "$IQN"
echo text >"$WORK/mounted/file"
sync

# A target that is down takes nothing away.
target_kill "$TARGET"
wait_until 10 has_logged "discovery sendtargets at $TARGET_ADDRESS:3260: .*(refused|connection)"
target_restart "$TARGET"
wait_until 20 is_up "$IQN"
wait_until 20 is_up $TWO
expect_equal "$mounted $second" "$(sid_of "$IQN") $(sid_of $TWO)"
expect_equal text "$(<"$WORK/mounted/file")"
for name in "$IQN" $TWO; do ! is_forgotten "$name" || fail "the record of $name is gone"; done

# No longer repeated: sessions stay, and what comes is not noticed until it is repeated again.
repeat No
wait_until 10 has_logged 'not repeated any more'
target_start "$TARGET" --name $THREE
# Several times as long as the daemon would take that asks each second.
sleep 4
expect_sessions 2
is_forgotten $THREE || fail 'a discovery that is not repeated has found something'
repeat Yes
wait_until 15 is_logged_in $THREE
repeat No
wait_until 10 has_logged 'not repeated any more' 2

umount "$WORK/mounted"
expect_exit 0 iscsi-admin logout --all
expect_nothing_left
