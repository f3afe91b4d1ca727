# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Each client for DHCP is asked once, and ends; address, router, name server and target come from the server, whichever it is.
# kernels: 6.12
# needs: dhcp
# daemon: no
# limit: 240

target_start tgt
cat >"$WORK/udhcpd.conf" <<FILE
start 10.0.0.100
end 10.0.0.150
interface tgt0
lease_file $WORK/leases
option subnet 255.255.255.0
option router 10.0.0.1
option dns 10.0.0.53
option mtu 1400
option rootpath iscsi:$TARGET_ADDRESS:::1:$IQN
FILE
: >"$WORK/leases"
in_target busybox udhcpd -f -S "$WORK/udhcpd.conf" >"$OUT/udhcpd" 2>&1 &
server=$!
address() { ip -json -4 address show dev san0 | jq -r '.[].addr_info[].local'; }
lifetime() { ip -json -4 address show dev san0 | jq -r '.[].addr_info[].valid_life_time'; }
clients() { pidof udhcpc dhcpcd dhclient ipconfig; }
# dhcpcd's parts.
grep -q ^dhcpcd: /etc/passwd || echo 'dhcpcd:x:65533:65534::/var/lib/dhcpcd:/bin/false' >>/etc/passwd
rm /bin/udhcpc
ln -s /bin/busybox /opt/dhcp/udhcpc
for client in udhcpc dhcpcd dhclient ipconfig; do
  echo "--- $client"
  ip address flush dev san0
  ip link set san0 down mtu 1500
  ln -s "/opt/dhcp/$client" "/bin/$client"
  expect_exit 0 iscsi-admin boot connect --command-line 'root=dhcp ip=san0:dhcp' --default-route --dns --json
  expect_json '.network[0].gateway == "10.0.0.1" and .network[0].rootPath and (.network[0].nameServers | index("10.0.0.53")) and .sessions[0].session'
  expect_match '^10\.0\.0\.1[0-5][0-9]$' "$(address)"
  expect_match 'default via 10\.0\.0\.1 dev san0' "$(ip -4 route show default)"
  grep -qx 'nameserver 10.0.0.53' /etc/resolv.conf || fail 'no name server was written down'
  wait_until 5 eval '! clients'
  # It stays when nobody renews it, beyond the time of the lease.
  expect_match '^10\.0\.0\.1[0-5][0-9]$' "$(address)"
  expect_equal 4294967295 "$(lifetime)"
  rm "/bin/$client"
  # shellcheck disable=SC2119
  daemon_start
  expect_exit 0 iscsi-admin logout --all
  daemon_stop
  expect_nothing_left
done
echo '--- none'
ip address flush dev san0
expect_exit 1 iscsi-admin boot network --command-line 'root=dhcp ip=san0:dhcp'
expect_stderr '^iscsi-admin: network \(ip= in --command-line, san0\): there is no DHCP client: none of udhcpc, dhcpcd, dhclient, ipconfig is in /usr/sbin, /sbin, /usr/bin, /bin; '
kill $server
mv /opt/dhcp/udhcpc /bin/udhcpc
expect_nothing_left
