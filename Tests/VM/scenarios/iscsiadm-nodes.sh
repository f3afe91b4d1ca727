# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# As iscsiadm, it discovers, keeps records, logs in by them and out; open-iscsi's iscsiadm reads and changes the same records in turn.
# targets: tgt lio
# kernels: 6.12
# daemon: no
# limit: 90

secret=wonderland12
mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"
theirs=/opt/open-iscsi/iscsiadm
PATH=$WORK/ours:$PATH
target_start "$TARGET" --user alice --secret $secret
node=(-m node -T "$IQN" -p "$TARGET_ADDRESS")
label="[iface: default, target: $IQN, portal: $TARGET_ADDRESS,3260]"
records() { find /etc/iscsi -mindepth 1 ! -name initiatorname.iscsi -exec ls -ld {} + | awk '{ print $1, $9, $11 }' | sort; }

# What it finds it stores as the other does.
start_iscsid
$theirs -m discovery -t st -p "$TARGET_ADDRESS" >"$WORK/theirs"
stop_iscsid
records >"$WORK/tree"
cp "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1/default" "$WORK/record"
cp "/etc/iscsi/send_targets/$TARGET_ADDRESS,3260/st_config" "$WORK/discovery"
rm -rf /etc/iscsi/{nodes,ifaces,send_targets,static}
# shellcheck disable=SC2119
daemon_start
expect_exit 21 iscsiadm -m node
expect_exit 0 iscsiadm -m discovery -t st -p "$TARGET_ADDRESS"
expect_silent_stderr
cmp "$WORK/theirs" "$OUT/stdout"
records | diff "$WORK/tree" -
diff "$WORK/record" "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1/default"
diff "$WORK/discovery" "/etc/iscsi/send_targets/$TARGET_ADDRESS,3260/st_config"

# The target wants CHAP.
expect_exit 24 iscsiadm "${node[@]}" -l
expect_stderr "Could not login to \\[iface: default, target: $IQN"
expect_stderr '^iscsiadm: initiator reported error \(24 - iSCSI login failed due to authorization failure\)$'
expect_sessions 0
$theirs "${node[@]}" -o update -n node.session.auth.authmethod -v CHAP -n node.session.auth.username -v alice 2>/dev/null
expect_exit 0 iscsiadm "${node[@]}" -o update -n node.session.auth.password -v $secret -n node.session.timeo.replacement_timeout -v 7
expect_silent_stdout
expect_silent_stderr
expect_exit 0 iscsiadm "${node[@]}"
expect_no_secret $secret
$theirs "${node[@]}" 2>/dev/null | cmp "$OUT/stdout" -
expect_exit 0 iscsiadm "${node[@]}" -l
expect_equal "Logging in to $label
Login to $label successful." "$(<"$OUT/stdout")"
check_data "$(disk_of "$IQN")" 1
expect_equal 7 "$(<"$(session_of "$IQN")/recovery_tmo")"
expect_exit 15 iscsiadm "${node[@]}" -l
expect_equal 'iscsiadm: default: 1 session requested, but 1 already present.
iscsiadm: Could not log into all portals' "$(<"$OUT/stderr")"
expect_exit 15 iscsiadm "${node[@]}" -o delete
expect_exit 0 iscsiadm "${node[@]}" -R
expect_exit 0 iscsiadm -m session -P 3
expect_stdout "Attached scsi disk $(disks_of "$IQN" | head -1)"

# A session in use is not logged out.
disk=$(disk_of "$IQN")
make_file_system "$disk"
mkdir -p "$WORK/mounted"
mount "/dev/$disk" "$WORK/mounted"
expect_exit 28 iscsiadm "${node[@]}" -u
umount "$WORK/mounted"
expect_exit 0 iscsiadm "${node[@]}" -u
expect_stdout "^Logout of \\[sid: .*, target: $IQN, portal: $TARGET_ADDRESS,3260\\] successful\\.\$"
expect_sessions 0
expect_exit 21 iscsiadm "${node[@]}" -u

# At boot.
expect_exit 21 iscsiadm -m node -L automatic
expect_exit 0 iscsiadm "${node[@]}" -o update -n node.startup -v automatic
expect_exit 0 iscsiadm -m node --loginall=automatic
expect_sessions 1
expect_exit 0 iscsiadm -m node --logoutall=automatic
expect_exit 21 iscsi-admin login --all --startup onboot
expect_exit 0 iscsi-admin login --all --startup automatic
expect_stdout "logged in to $IQN"
expect_exit 15 iscsi-admin login "$IQN"
expect_exit 0 iscsi-admin logout "$IQN"
expect_exit 7 iscsi-admin login --all --startup automatic --portal "$TARGET_ADDRESS"
expect_exit 0 iscsiadm "${node[@]}" -o delete
expect_exit 21 iscsiadm -m node
expect_nothing_left
daemon_stop
