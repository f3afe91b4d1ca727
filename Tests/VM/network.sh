# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The network between the initiator (the first namespace, where the kernel's iSCSI lives) and the targets (namespace "target"):
#   san0  10.0.0.2, fd00::2    <->  10.0.0.1, fd00::1    first path
#   san1  10.0.1.2, fd00:1::2  <->  10.0.1.1, fd00:1::1  second path

# shellcheck disable=SC2034 # used by scenarios
TARGET_ADDRESS=10.0.0.1 TARGET_ADDRESS_2=10.0.1.1 TARGET_ADDRESS_6=fd00::1
# shellcheck disable=SC2034
INITIATOR_ADDRESS=10.0.0.2 INITIATOR_ADDRESS_2=10.0.1.2

# in_target COMMAND...: runs it in the targets' network namespace (and only that: /sys stays, unlike with `ip netns exec`).
in_target() {
  nsenter -n/run/netns/target "$@"
}

# network_up: makes the two paths. Safe to call again.
network_up() {
  [[ -e /run/netns/target ]] && return
  local path
  ip netns add target
  for path in 0 1; do
    echo "link add san$path type veth peer name tgt$path netns target"
    echo "address add 10.0.$path.2/24 dev san$path"
    echo "address add fd00:$path::2/64 dev san$path nodad"
    echo "link set san$path up"
  done | ip -batch -
  for path in 0 1; do
    echo "address add 10.0.$path.1/24 dev tgt$path"
    echo "address add fd00:$path::1/64 dev tgt$path nodad"
    echo "link set tgt$path up"
  done | ip -n target -batch -
  ip -n target link set lo up
}

# network_down: removes everything network_up and the scenario made.
network_down() {
  local namespace link
  for link in san0 san1; do
    [[ -e /sys/class/net/$link ]] && ip link delete "$link"
  done
  for namespace in /run/netns/*; do
    [[ -e $namespace ]] && ip netns delete "${namespace##*/}"
  done
  for link in /sys/class/net/*; do
    [[ ${link##*/} == lo || ! -e $link ]] || ip link delete "${link##*/}" 2>/dev/null
  done
  return 0
}

# path_cut PATH / path_restore PATH: the target's side drops all packets; the carrier stays, as with a dead switch.
path_cut() {
  ip netns exec target tc qdisc add dev "tgt$1" root netem loss 100%
}
path_restore() {
  ip netns exec target tc qdisc delete dev "tgt$1" root
}

# mac_of DEVICE: its Ethernet address.
mac_of() {
  cat "/sys/class/net/$1/address"
}

# portals_of SOURCE: how many established TCP connections go from SOURCE (an IPv4 address) to port 3260.
connections_from() {
  busybox netstat -tn | awk -v source="$1:" '$6 == "ESTABLISHED" && index($4, source) == 1 && $5 ~ /:3260$/' | wc -l
}
