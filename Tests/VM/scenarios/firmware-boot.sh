# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What boot firmware names is shown, recorded and logged in to as by open-iscsi, also from Debian's initramfs, and taken up later.
# daemon: no
# limit: 150
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:34:56 ip=10.0.0.2/24 gateway=10.0.0.1 dns1=10.0.0.53 hostname=booted
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1
# ibft: target name=iqn.2026-11.org.example:disk-chap ip=10.0.0.1 lun=1 user=alice secret=wonderland12 flags=1

# shellcheck source=Tests/VM/debian.sh
source /vm/debian.sh

mkdir -p "$WORK/ours"
for name in iscsiadm iscsistart iscsi_fw_login; do ln -s "$(type -P iscsi-admin)" "$WORK/ours/$name"; done
ours=$WORK/ours theirs=/opt/open-iscsi
target_start tgt
target_start tgt --name "$IQN-chap" --user alice --secret wonderland12
label="[iface: default, target: $IQN, portal: $TARGET_ADDRESS,3260]"
# What differs by its nature: the kernel's number of a session, a thread's priority, which this kernel has no thread for, and an attempt
# of the reference that fails now and then and is made again.
told() { sed '/Could not set session[0-9]* priority/d; /Login I\/O error, failed to send a PDU/d; s/Connection[0-9]*:/ConnectionN:/' "$OUT/stderr"; }
# same PROGRAM ARGUMENT...: both say the same, to the octet, and end with the same status.
same() {
  local program=$1 status
  shift
  PATH=$theirs:$PATH run "$program" "$@"
  # shellcheck disable=SC2153 # set by run
  status=$STATUS
  cp "$OUT/stdout" "$WORK/stdout"
  told >"$WORK/stderr"
  PATH=$ours:$PATH run "$program" "$@"
  expect_equal "$status" "$STATUS"
  cmp "$WORK/stdout" "$OUT/stdout" || fail "$program $* prints something else"
  told | diff "$WORK/stderr" - || fail "$program $* says something else"
}
log_out_all() {
  # shellcheck disable=SC2119
  daemon_start
  expect_exit 0 iscsi-admin logout --all
  daemon_stop
  expect_nothing_left
}
records() { find /etc/iscsi/{nodes,fw} ! -type d -exec ls -l {} + | awk '{ print $1, $9, $11 }' | sort; }

echo '--- a card that is not there'
modprobe -r iscsi_ibft || true
expect_exit 21 "$ours/iscsistart" -f
expect_stdout '^Could not get list of targets from firmware.$'
expect_stderr '^iscsistart: ibft/ethernet0/mac: no network device has 52:54:00:12:34:56$'
[[ -d /sys/firmware/ibft ]] || fail 'the module was not loaded'
for arguments in -f -N -b; do
  run "$theirs/iscsistart" $arguments
  cp "$OUT/stdout" "$WORK/stdout"
  expect_exit 21 "$ours/iscsistart" $arguments
  cmp "$WORK/stdout" "$OUT/stdout"
done
ip link set san0 address 52:54:00:12:34:56

echo '--- what there is'
same iscsistart -f
expect_stdout '^node.session.auth.password = wonderland12$'
same iscsiadm -m fw
same iscsistart -v
same iscsistart -i
same iscsistart
same iscsistart -P x

echo '--- the network'
for program in "$theirs" "$ours"; do
  ip address flush dev san0
  ip link set san0 down
  expect_exit 0 "$program/iscsistart" -N
  expect_stdout '^Setting up software interface san0$'
  { ip -4 route; ip -4 address show dev san0 | sed -n 's/.*inet \([^ ]*\) .*scope/\1/p'; } | sed 's/ *$//' >"$OUT/network-${program##*/}"
  cat "$OUT/network-${program##*/}"
done
diff "$OUT/network-open-iscsi" "$OUT/network-ours" || fail 'the network is another'
expect_exit 0 "$ours/iscsistart" -N

echo '--- logins without a daemon'
run "$theirs/iscsistart" -b
cp "$OUT/stdout" "$WORK/stdout"
told >"$WORK/stderr"
log_out_all
expect_exit 0 "$ours/iscsistart" -b
cmp "$WORK/stdout" "$OUT/stdout"
told | diff "$WORK/stderr" -
expect_sessions 2
expect_equal iqn.2026-11.org.example:boot "$(<"$(session_of "$IQN")/initiatorname")"
expect_equal 0 "$(<"$(connection_of "$IQN")/recv_tmo")"
expect_equal 120 "$(<"$(session_of "$IQN")/recovery_tmo")"
same iscsistart -b
expect_equal 1 "$STATUS"
check_data "$(disk_of "$IQN-chap")" 1

echo '--- taken up by the daemon'
initiator_connections >"$OUT/connections"
# shellcheck disable=SC2119
daemon_start
initiator_connections | diff "$OUT/connections" - || fail 'a session was logged in again'
expect_exit 0 iscsi-admin session show "$(sid_of "$IQN")"
expect_stdout '^ *Asked for by +user 0, boot, '
expect_exit 0 "$ours/iscsiadm" -m fw -l
expect_stderr '^iscsiadm: default: 1 session requested, but 1 already present.$'
expect_exit 0 iscsi-admin logout --all

echo '--- logins by the daemon, without records'
expect_exit 7 "$ours/iscsiadm" -m fw -l -n a -v b
expect_stderr '^iscsiadm: Could not merge user params$'
expect_exit 0 "$ours/iscsiadm" -m fw -l -n node.session.timeo.replacement_timeout -v 77
expect_stdout "^Login to ${label//[\[\]]/.} successful.\$"
expect_silent_stderr
expect_equal 77 "$(<"$(session_of "$IQN-chap")/recovery_tmo")"
[[ ! -e /etc/iscsi/nodes ]] || fail 'a record was written'
expect_exit 0 iscsi-admin logout --all
expect_exit 0 "$ours/iscsi_fw_login"
expect_sessions 2
expect_exit 0 iscsi-admin logout --all
daemon_stop

echo '--- records'
start_iscsid
for program in "$theirs" "$ours"; do
  rm -rf /etc/iscsi/{nodes,fw}
  [[ $program == "$theirs" ]] || stop_iscsid
  expect_exit 0 "$program/iscsiadm" -m discovery -t fw
  cp "$OUT/stdout" "$OUT/found-${program##*/}"
  records >"$OUT/tree-${program##*/}"
  cp -r /etc/iscsi/nodes "$WORK/nodes-${program##*/}"
  # A target that the firmware does not name any more, and settings of the user.
  cp -r "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1" "/etc/iscsi/nodes/$IQN/10.0.0.9,3260,1"
  sed -i 's/^node.conn\[0\].address = .*/node.conn[0].address = 10.0.0.9/' "/etc/iscsi/nodes/$IQN/10.0.0.9,3260,1/default"
  ln -s "/etc/iscsi/nodes/$IQN/10.0.0.9,3260,1" "/etc/iscsi/fw/$IQN,10.0.0.9,3260,1,default"
  sed -i 's/^node.session.queue_depth = .*/node.session.queue_depth = 99/' "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1/default"
  for operation in new delete update; do
    "$program/iscsiadm" -m discovery -t fw -o $operation >"$WORK/found"
    { echo "$operation: $(grep queue_depth "/etc/iscsi/nodes/$IQN/$TARGET_ADDRESS,3260,1/default")"; cat "$WORK/found"; records; } >>"$OUT/tree-${program##*/}"
  done
done
diff "$OUT/found-open-iscsi" "$OUT/found-ours"
diff -r "$WORK/nodes-open-iscsi" "$WORK/nodes-ours"
diff "$OUT/tree-open-iscsi" "$OUT/tree-ours"
rm -rf /etc/iscsi/{nodes,fw,iscsid.conf}

echo "--- Debian's scripts for initramfs images"
debian_install
mkdir -p /scripts /conf/conf.d /run/initramfs /dev/disk/by-path
cp /usr/share/initramfs-tools/scripts/functions /scripts/
: >/conf/initramfs.conf
echo ISCSI_AUTO=true >/etc/iscsi.initramfs
# There is no udev here.
printf '#!/bin/sh\n' >/sbin/udevadm
chmod 755 /sbin/udevadm
ip address flush dev san0
# What an image's init exports.
export quiet=n starttime
starttime=$(cut -d. -f1 /proc/uptime)
expect_exit 0 sh /usr/share/initramfs-tools/scripts/local-top/iscsi
expect_stdout '^Setting up software interface san0$'
expect_stderr "^iscsistart: Connection[0-9]*:0 to \\[target: $IQN, portal: $TARGET_ADDRESS,3260\\] through \\[iface: default\\] is operational now\$"
expect_sessions 2
expect_equal san0 "$(</run/initramfs/open-iscsi.interface)"
for line in "DEVICE='san0'" "PROTO='static'" "IPV4ADDR='10.0.0.2'" "IPV4NETMASK='255.255.255.0'" "IPV4DNS0='10.0.0.53'"; do
  grep -qx "$line" /run/net-san0.conf || fail "the settings lack $line"
done
expect_match '^default via 10\.0\.0\.1 ' "$(ip -4 route show default)"
ln -s "/dev/$(disk_of "$IQN")" "/dev/disk/by-path/ip-$TARGET_ADDRESS:3260-iscsi-$IQN-lun-1"
expect_exit 0 sh /usr/share/initramfs-tools/scripts/local-bottom/iscsi
[[ -e /run/initramfs/open-iscsi.interface ]] || fail 'the interface was forgotten'
rm -rf /scripts /conf /run/initramfs /run/net-san0.conf /etc/iscsi.initramfs /sbin/udevadm /dev/disk
debian_remove
log_out_all
