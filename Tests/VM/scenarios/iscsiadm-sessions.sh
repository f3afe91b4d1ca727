# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# As iscsiadm, it prints of sessions, hosts and wrong command lines what open-iscsi's does, octet by octet, and works on sessions alike.
# targets: tgt
# kernels: 6.12
# limit: 60

mkdir -p "$WORK/ours" "$WORK/theirs"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"

# Both are called by one name, which getopt's lines begin with.
iscsiadm() { (exec -a iscsiadm "$WORK/ours/iscsiadm" "$@"); }
theirs() { (exec -a iscsiadm /opt/open-iscsi/iscsiadm "$@"); }

# known FILE: with the right label of the target's secret, and without the states that each asks a daemon of its own for, while ours runs.
known() {
  local states=''
  [[ -z $DAEMON_PID ]] || states='/iSCSI Connection State: /d; /Internal iscsid Session State: /d;'
  sed "$states /username_in: /{ n; s/password: /password_in: /; }" "$1"
}

# The lines about a daemon that is not there, or that is not open-iscsi's.
daemon_lines='can not connect to iSCSI daemon|iscsid.startup|iscsid is not running'

# same ARGUMENT...: both print the same on both outputs and end alike.
same() {
  local side ours=0 theirs=0
  iscsiadm "$@" >"$WORK/ours.out" 2>"$WORK/ours.err" || ours=$?
  theirs "$@" >"$WORK/theirs.out" 2>"$WORK/theirs.err" || theirs=$?
  for side in ours theirs; do
    known "$WORK/$side.out" >"$WORK/$side.known"
    { grep -Ev "$daemon_lines" "$WORK/$side.err" || true; } >"$WORK/$side.complaints"
  done
  compared=$((compared + 1))
  [[ $ours != "$theirs" ]] || ! cmp -s "$WORK"/{ours,theirs}.known || ! cmp -s "$WORK"/{ours,theirs}.complaints || return 0
  echo "iscsiadm $*: ours ended with $ours, theirs with $theirs"
  diff "$WORK"/{ours,theirs}.known || true
  diff "$WORK"/{ours,theirs}.complaints || true
  different=$((different + 1))
}
compared=0 different=0

# same_lines: the same for every command line of standard input.
same_lines() {
  local words
  while read -ra words; do same "${words[@]}"; done
}

same -m session
same -m host
same -m session -P 3
same -m host -P 4
same_lines <<'END'
-m session -u
-m session -R
-m session -s
-m session -r 1 -P 1
-m fw
-m fw -l -W
END

target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS_2:3260" --portal "[$TARGET_ADDRESS_6]:3260"
target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --name "$IQN-chap" --user alice --secret wonderland12
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS_2"
expect_exit 0 iscsi-admin login "$IQN" --portal "[$TARGET_ADDRESS_6]" --replacement-timeout -1
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --interface-device san0 --header-digest CRC32C,None
expect_exit 0 iscsi-admin login "$IQN-chap" --portal "$TARGET_ADDRESS" --user alice --password-file "$(password_file wonderland12)"
sid=$(sid_of "$IQN-chap")

same_lines <<END
-m session
--mode session
--mode=session --op=show
-m session -P 0
-m session -P 1
-m session -P 2
-m session -P 2 -S
-m session -P 3
-m session -o show -P 3 -S
-m session -P 4
-m session -P -1
-m session -P x
--sid $sid -P 1 --mode session
-m session -r $sid -P 3 -S
-m session -r 99
-m session -r 99 -u
-m session -r 99 -R
-m session -r 99 -s
-m session -r abc
-m session -r 0
-m session -r /sys/class/iscsi_session/session$sid -P 2
-m session -r /sys/class/iscsi_session/session99 -P 2
-m session -r /sys/class/iscsi_connection/connection$sid:0 -P 1
-m session -r /sys/class/iscsi_host -P 1
-m session -r /sys/class/net/lo -P 1
-m session -r /tmp -P 1
-m session -o new
-m session -u -o show
-m session -o bogus
-m session -r $sid -R
-m host
-m host -P 0
-m host -P 1
-m host -P 2
-m host -P 3
-m host -P 4
-m host -P 5
-m host -H 99 -P 1
-m host -H aa:bb:cc:dd:ee:ff
-m host -C chap
-m host -C chap -o show
-m host -C chap -o show -H 99
-m host -C chap -o delete
-m host -C chap -o delete -x 1
-m host -C flashnode
-m host -C flashnode -x 1
-m host -C flashnode -o new
-m host -C flashnode -o new -A ipv4
-m host -C flashnode -o login -x 1
-m host -C flashnode -o logout -x 1
-m host -C flashnode -o update -x 1 -n a -v b
-m host -C stats
-m host -C ping
-m fw
-m fw -l
-h
-V
--version
-m foo
-m
-z
--foo
--p x
-m session -l
-l -m session
-m session -z
-m session -P
-m session --help=3
-m fw -P 1
-m iface -x 1
-m discoverydb -W
-k 1
END
same
same -m session -P 3
grep -q 'SID: 1$' "$WORK/theirs.known" || fail 'there was nothing to compare with'

expect_exit 0 iscsiadm -m session -r "$sid" -P 1
expect_silent_stderr
expect_stdout '^[[:blank:]]{2}iSCSI Connection State: LOGGED IN$'
expect_stdout '^[[:blank:]]{2}Internal iscsid Session State: NO CHANGE$'

# name_of SID: what messages call a session.
name_of() {
  local connection=/sys/class/iscsi_connection/connection$1:0
  echo "[sid: $1, target: $(<"/sys/class/iscsi_session/session$1/targetname"), portal: $(<"$connection/persistent_address"),3260]"
}
# expect_text TEXT: the last command printed this and nothing else.
expect_text() { diff <(echo "$1") "$OUT/stdout" || fail 'standard output is not what was expected'; }

name=$(name_of "$sid")
expect_exit 0 iscsiadm -m session -r "$sid" -s
expect_equal 27 "$(wc -l <"$OUT/stdout")"
expect_equal "Stats for session $name" "$(sed -n 1p "$OUT/stdout")"
expect_equal 'iSCSI SNMP:' "$(sed -n 2p "$OUT/stdout")"
expect_equal 'iSCSI Extended:' "$(sed -n 24p "$OUT/stdout")"
expect_stdout '^[[:blank:]]scsicmd_pdus: [1-9][0-9]*$'
expect_exit 0 iscsiadm -m session -s
expect_equal 5 "$(grep -c '^Stats for session' "$OUT/stdout")"
expect_exit 0 iscsiadm -m session --rescan
expect_equal 5 "$(grep -c '^Rescanning session \[sid: ' "$OUT/stdout")"
expect_silent_stderr
target_resize "$TARGET" "$IQN-chap" "$(first_lun "$TARGET")" 32
disk=$(disk_of "$IQN-chap")
expect_exit 0 iscsiadm -m session -r "/sys/class/iscsi_session/session$sid" -R
expect_text "Rescanning session $name"
has_size() { [[ $(disk_size "$disk") == "$((32 << 20))" ]]; }
wait_until 5 has_size

make_file_system "$disk"
mkdir -p "$WORK/mounted"
mount "/dev/$disk" "$WORK/mounted"
echo 'iscsid.safe_logout = Yes' >/etc/iscsi/iscsid.conf
expect_exit 28 iscsiadm -m session -r "$sid" -u
expect_text "Logging out of session $name"
expect_equal "iscsiadm: Could not logout of $name.
iscsiadm: initiator reported error (28 - device or resource in use)
iscsiadm: Could not logout of all requested sessions" "$(<"$OUT/stderr")"
umount "$WORK/mounted"
expect_exit 0 iscsiadm -m session -r "$sid" -u
expect_text "Logging out of session $name
Logout of $name successful."

# Sessions that have lost their target, with the daemon's word and without.
target_kill "$TARGET"
connection_lost() { [[ $(<"/sys/class/iscsi_session/session1/state") == FAILED ]]; }
wait_until 20 connection_lost
same -m session -P 3
same -m host -P 4
expect_exit 0 iscsiadm -m session -r 1 -P 1
expect_stdout '^[[:blank:]]{2}iSCSI Connection State: (TRANSPORT WAIT|IN LOGIN)$'
expect_stdout '^[[:blank:]]{2}Internal iscsid Session State: REOPEN$'
daemon_kill
same -m session -P 3
same -m host -P 4
same -m session -s
daemon_start
echo "$compared command lines compared, $different differ"
((different == 0)) || fail "$different of $compared command lines give something else than open-iscsi"

expected=$(
  for number in 1 2 3 4; do echo "Logging out of session $(name_of "$number")"; done
  for number in 1 2 3 4; do echo "Logout of $(name_of "$number") successful."; done
)
expect_exit 0 iscsiadm -m session --logout
expect_text "$expected"
expect_exit 21 iscsiadm -m session
expect_nothing_left

expect_exit 0 iscsiadm -k 0
expect_silent_stderr
wait_until 5 process_ended "$DAEMON_PID"
wait "$DAEMON_PID" || fail 'the daemon did not end well'
DAEMON_PID=''
