# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target of firmware is reached in its VLAN, whatever the VLAN's device is called, though the initiator has no flags and another target no card.
# kernels: 6.12
# daemon: no
# ibft: initiator name=iqn.2026-11.org.example:boot flags=0
# ibft: ethernet mac=52:54:00:12:34:56 ip=10.0.5.2/24 vlan=5
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.5.1 lun=1
# ibft: target name=iqn.2026-11.org.example:lost ip=10.0.0.1 lun=1 nic=1

mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsistart"
PATH=$WORK/ours:$PATH
network_up
ip link set san0 address 52:54:00:12:34:56
ip -n target link add link tgt0 name tgt0.5 type vlan id 5
ip -n target address add 10.0.5.1/24 dev tgt0.5
ip -n target link set tgt0.5 up
target_start tgt --portal 10.0.5.1:3260

# expect_vlan DEVICE: it is the only device of a VLAN, and has the address.
expect_vlan() {
  expect_equal "$1" "$(ip -json -details link show | jq -r '.[] | select(.linkinfo.info_kind == "vlan" and .linkinfo.info_data.id == 5).ifname')"
  expect_equal 10.0.5.2/24 "$(ip -json address show dev "$1" | jq -r '.[].addr_info[] | select(.family == "inet") | "\(.local)/\(.prefixlen)"')"
}

echo '--- as the firmware has it'
expect_exit 0 iscsistart -f
expect_stdout '^iface.initiatorname = iqn.2026-11.org.example:boot$'
expect_stderr '^iscsistart: ibft/target1/nic-assoc: there is no valid ethernet1$'
expect_exit 0 iscsistart -N
expect_vlan san0.5
expect_exit 0 iscsistart -b
expect_sessions 1
expect_equal iqn.2026-11.org.example:boot "$(<"$(session_of "$IQN")/initiatorname")"
check_data "$(disk_of "$IQN")" 1
# shellcheck disable=SC2119
daemon_start
expect_exit 0 iscsi-admin logout --all
daemon_stop
expect_nothing_left

echo '--- a device of another name is used'
ip link delete san0.5
ip link add link san0 name storage type vlan id 5
expect_exit 0 iscsistart -N
expect_vlan storage
expect_exit 0 iscsistart -N
expect_vlan storage

echo '--- a name that would be too long, or that another device has'
ip link delete storage
ip link set san0 down
ip link set san0 name storagecard0001
expect_exit 0 iscsistart -N
expect_vlan vlan5
ip link delete vlan5
ip link set storagecard0001 down
ip link set storagecard0001 name san0
ip link add name san0.5 type dummy
expect_exit 0 iscsistart -N
expect_vlan vlan5
