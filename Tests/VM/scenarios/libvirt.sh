# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Pools of libvirt on our iscsiadm: sources, volumes with their data and size, CHAP, an initiator's name of the pool's own.
# targets: tgt lio
# kernels: 6.12
# needs: libvirt
# limit: 90

# shellcheck source=Tests/VM/clients.sh
source /vm/clients.sh
OTHER_INITIATOR=iqn.2026-11.org.example:other VOLUME=unit:0:0:$LUN

pools() { virsh -q -c storage:///system "$@"; }
secrets() { virsh -q -c secret:///system "$@"; }

# libvirt_start: its daemon without any state, which root may ask without polkit.
libvirt_start() {
  rm -rf /etc/libvirt /run/libvirt /var/{cache,lib}/libvirt
  mkdir -p /etc/libvirt
  echo 'auth_unix_rw = "none"' >/etc/libvirt/libvirtd.conf
  libvirtd >"$OUT/libvirtd.log" 2>&1 &
  LIBVIRTD=$!
  wait_until 30 pools pool-list
}
libvirt_stop() {
  kill "$LIBVIRTD"
  wait "$LIBVIRTD"
}

# define_pool NAME TARGET [ELEMENT...]: with more elements of its source.
define_pool() {
  echo "<pool type='iscsi'><name>$1</name>
    <source><host name='$TARGET_ADDRESS'/><device path='$2'/>${*:3}</source>
    <target><path>/dev/disk/by-path</path></target></pool>" >"$WORK/pool.xml"
  expect_exit 0 pools pool-define "$WORK/pool.xml"
}

# define_secret SECRET: alice's, whatever it was before.
define_secret() {
  local uuid=5f1b2f5e-0000-4000-8000-000000000001
  echo "<secret ephemeral='no' private='yes'><uuid>$uuid</uuid><usage type='iscsi'><target>alice</target></usage></secret>" >"$WORK/secret.xml"
  printf %s "$1" >"$WORK/secret"
  expect_exit 0 secrets secret-define "$WORK/secret.xml"
  expect_exit 0 secrets secret-set-value $uuid --file "$WORK/secret" --plain
}

# expect_volume POOL TARGET: its only volume is the target's disk, and gives back what is written.
expect_volume() {
  expect_exit 0 pools vol-list "$1"
  expect_equal "$VOLUME $(by_path "$2")" "$(xargs <"$OUT/stdout")"
  expect_equal "/dev/$(disk_of "$2")" "$(readlink -f "$(by_path "$2")")"
  dd if=/dev/urandom of="$WORK/written" bs=1M count=2 2>/dev/null
  expect_exit 0 pools vol-upload "$VOLUME" "$WORK/written" --pool "$1"
  expect_exit 0 pools vol-download "$VOLUME" "$WORK/read" --pool "$1" --length $((2 << 20))
  cmp "$WORK/written" "$WORK/read"
  check_data "$(disk_of "$2")" 1
}
expect_size() {
  expect_exit 0 pools vol-info "$VOLUME" "$1" --bytes
  expect_stdout "^Capacity: +$(($2 << 20)) bytes\$"
}

clients_start
libvirt_start

echo '--- finds the targets, and keeps nothing of it'
expect_exit 0 pools find-storage-pool-sources-as iscsi "$TARGET_ADDRESS"
expect_equal "$CHAP_IQN $IQN" "$(sed -n "s/.*<device path='\(.*\)'.*/\1/p" "$OUT/stdout" | sort | xargs)"
expect_exit 21 iscsiadm -m node

echo '--- a pool'
define_pool disks "$IQN"
expect_exit 0 pools pool-start disks
expect_sessions 1
expect_volume disks "$IQN"
expect_size disks 16
target_resize "$TARGET" "$IQN" "$LUN" 24
expect_exit 0 pools pool-refresh disks
expect_size disks 24
expect_exit 0 pools pool-destroy disks
expect_sessions 0
expect_exit 0 pools pool-start disks
expect_sessions 1
expect_exit 0 pools pool-destroy disks

echo '--- with CHAP'
define_secret wrong-secret
define_pool chap $CHAP_IQN "<auth type='chap' username='alice'><secret usage='alice'/></auth>"
expect_exit 1 pools pool-start chap
expect_stderr 'iSCSI login failed due to authorization failure'
expect_sessions 0
define_secret $SECRET
expect_exit 0 pools pool-start chap
expect_volume chap $CHAP_IQN
expect_equal alice "$(<"$(session_of $CHAP_IQN)/username")"
expect_exit 0 pools pool-destroy chap

echo '--- as another initiator'
define_pool other "$IQN" "<initiator><iqn name='$OTHER_INITIATOR'/></initiator>"
expect_exit 0 pools pool-start other
expect_equal $OTHER_INITIATOR "$(<"$(session_of "$IQN")/initiatorname")"
expect_volume other "$IQN"
expect_exit 0 pools pool-destroy other
expect_nothing_left

libvirt_stop
clients_stop
