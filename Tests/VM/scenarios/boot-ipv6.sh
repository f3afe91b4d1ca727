# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Addresses of IPv6 for a boot: as a router tells, and as a DHCP server does.
# kernels: 6.12
# needs: dhcp
# daemon: no
# limit: 120

target_start tgt --portal '[fd00::1]:3260'
rm /bin/udhcpc
ln -s /opt/dhcp/dhclient /bin/dhclient
echo 'dnsmasq:x:100:65534::/:/bin/sh' >>/etc/passwd
mkdir -p /var/lib/misc
# serve OPTION...: routers and addresses of the target's network, by dnsmasq.
serve() {
  in_target dnsmasq --no-daemon --log-dhcp --user=root --port=0 --interface=tgt0 --bind-interfaces --dhcp-leasefile="$WORK/leases" \
    --enable-ra --ra-param=tgt0,5 "$@" >"$OUT/dnsmasq" 2>&1 &
  server=$!
}
address() { ip -json -6 address show dev san0 scope global | jq -r '.[].addr_info[].local // empty'; }
# boots WORD ADDRESS: this is said of the device, and it comes to an address like that and a session over it.
boots() {
  echo "--- $1"
  ip -6 address flush dev san0 scope global
  ip link set san0 down
  expect_exit 0 iscsi-admin boot connect --command-line "ip=san0:$1 netroot=iscsi:[fd00::1]::::$IQN" --json
  expect_json '.network[0].device == "san0" and .sessions[0].session'
  expect_match "$2" "$(address)"
  kill $server
  wait $server || true
  # shellcheck disable=SC2119
  daemon_start
  expect_exit 0 iscsi-admin logout --all
  daemon_stop
  expect_nothing_left
}

serve --dhcp-range=fd00::,ra-only,64
boots auto6 '^fd00::[0-9a-f]+:[0-9a-f]+:[0-9a-f]+:[0-9a-f]+$'
serve --dhcp-range=fd00::50,fd00::60,64,10m
boots dhcp6 '(^|[[:space:]])fd00::[56][0-9a-f]($|[[:space:]])'
rm /bin/dhclient
ln -s busybox /bin/udhcpc
