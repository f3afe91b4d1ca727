# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# boot connect sets the network up as ip=, firmware or a DHCP server says, logs in by all dialects, waits for what is late, and leaves its sessions to the daemon.
# daemon: no
# limit: 180
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:34:56 ip=10.0.0.2/24 gateway=10.0.0.1 dns1=10.0.0.53
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1
# ibft: target name=iqn.2026-11.org.example:disk-chap ip=10.0.0.1 lun=1 user=alice secret=wonderland12 flags=1

secret=wonderland12
target_start tgt --portal "$TARGET_ADDRESS:3260" --portal "[$TARGET_ADDRESS_6]:3260" --portal "$TARGET_ADDRESS_2:3260"
target_start tgt --name "$IQN-chap" --user alice --secret $secret
ip link set san0 address 52:54:00:12:34:56
connect=(iscsi-admin boot connect)
address_of() { ip -json address show dev "$1" | jq -r --arg family "${2:-inet}" '.[].addr_info[] | select(.family == $family and .scope == "global") | "\(.local)/\(.prefixlen)"'; }
# offline: no device has an address or a route.
offline() {
  local link
  for link in san0 san1; do
    ip address flush dev $link
    ip link set $link down mtu 1500
  done
}
log_out_all() {
  # shellcheck disable=SC2119
  daemon_start
  expect_exit 0 iscsi-admin logout --all
  daemon_stop
  expect_nothing_left
}

echo '--- what there is to do is shown, without secrets'
expect_exit 0 iscsi-admin boot show
expect_stdout '^Network    san0: 10.0.0.2/24, gateway 10.0.0.1, DNS 10.0.0.53 \(ibft/ethernet0\)$'
expect_stdout "^Login      $IQN at $TARGET_ADDRESS:3260 \\(ibft/target0\\)\$"
expect_no_secret $secret
expect_exit 0 iscsi-admin boot show --json --command-line "netroot=iscsi:alice:$secret@10.0.0.1:::1:$IQN ip=dhcp"
expect_json '.network[0].method == "dhcp" and .logins[0].userName == "alice"'
expect_no_secret $secret

echo '--- firmware, with timers for a root file system, and taken up without a login'
offline
expect_exit 0 "${connect[@]}"
expect_stdout "^session [0-9]+: logged in to $IQN at $TARGET_ADDRESS:3260: sd[a-z] 16.0 MiB\$"
expect_equal 10.0.0.2/24 "$(address_of san0)"
expect_sessions 2
expect_equal iqn.2026-11.org.example:boot "$(<"$(session_of "$IQN")/initiatorname")"
expect_equal '0 86400 90' "$(cat "$(connection_of "$IQN")/recv_tmo" "$(session_of "$IQN")/recovery_tmo" "/sys/block/$(disk_of "$IQN")/device/timeout" | paste -sd ' ')"
expect_equal '' "$(ip -4 route show default)"
expect_exit 0 "${connect[@]}" --json
expect_json '.failures == [] and (.sessions | length) == 2 and all(.sessions[]; .wasThere)'
initiator_connections >"$OUT/connections"
# shellcheck disable=SC2119
daemon_start
initiator_connections | diff "$OUT/connections" - || fail 'a session was logged in again'
expect_equal '86400 90' "$(cat "$(session_of "$IQN")/recovery_tmo" "/sys/block/$(disk_of "$IQN")/device/timeout" | paste -sd ' ')"
expect_exit 0 iscsi-admin logout --all
daemon_stop

echo '--- a card that comes late'
offline
ip link set san0 address 52:54:00:12:34:99
"${connect[@]}" >"$OUT/late" 2>&1 &
process=$!
is_waiting() { grep -q "^State:.S" "/proc/$process/status" && [[ ! -s $OUT/late ]]; }
wait_until 5 is_waiting
ip link set san0 address 52:54:00:12:34:56
wait $process || fail "the card was not waited for: $(<"$OUT/late")"
expect_sessions 2
log_out_all

echo '--- a static address, default route and name servers, by arguments and by parameters'
offline
: >/etc/resolv.conf
expect_exit 0 "${connect[@]}" --command-line "netroot=iscsi:$TARGET_ADDRESS::::$IQN ip=10.0.0.2::10.0.0.1:255.255.255.0::san0:none:1400 nameserver=10.0.0.53" \
  --default-route --dns --initiator-name "$INITIATOR_IQN"
expect_equal '1400 10.0.0.2/24' "$(</sys/class/net/san0/mtu) $(address_of san0)"
expect_match '^default via 10\.0\.0\.1 dev san0' "$(ip -4 route show default)"
expect_equal 'nameserver 10.0.0.53' "$(</etc/resolv.conf)"
expect_equal "$INITIATOR_IQN" "$(<"$(session_of "$IQN")/initiatorname")"
log_out_all
offline
expect_exit 0 "${connect[@]}" --target "$IQN" --portal "$TARGET_ADDRESS" --ip 10.0.0.2:::24::san0:none --lun 1 --profile default --set device-timeout=44
expect_equal '5 120 44' "$(cat "$(connection_of "$IQN")/recv_tmo" "$(session_of "$IQN")/recovery_tmo" "/sys/block/$(disk_of "$IQN")/device/timeout" | paste -sd ' ')"
log_out_all

echo '--- IPv6 is used without a wait for its duplicates, and in a VLAN'
offline
expect_exit 0 "${connect[@]}" --target "$IQN" --portal "[$TARGET_ADDRESS_6]" --ip '[fd00::2]:::64::san0:none'
expect_equal fd00::2/64 "$(address_of san0 inet6)"
log_out_all
ip -n target link add link tgt0 name tgt0.5 type vlan id 5
ip -n target address add 10.0.5.1/24 dev tgt0.5
ip -n target link set tgt0.5 up
offline
expect_exit 0 iscsi-admin boot network --command-line "netroot=iscsi:10.0.5.1::::$IQN vlan=san.5:san0 ip=10.0.5.2:::24::san.5:none"
expect_stdout '^san.5: 10.0.5.2/24$'
expect_exit 0 busybox ping -c 1 -W 5 10.0.5.1
ip link delete san.5

echo '--- two ways to a target, one of them dead'
offline
expect_exit 0 "${connect[@]}" --target "$IQN" --portal "$TARGET_ADDRESS" --portal "$TARGET_ADDRESS_2:3999" \
  --ip 10.0.0.2:::24::san0:none --ip 10.0.1.2:::24::san1:none
expect_stderr "^iscsi-admin: login to $IQN at $TARGET_ADDRESS_2:3999 failed: connection refused \\(attempt 1, next (at once|in [0-9]+ s), gives up in 1[45] min\\)\$"
expect_stderr "^iscsi-admin: warning: login to $IQN at $TARGET_ADDRESS_2:3999 was given up"
expect_sessions 1
log_out_all

echo '--- Debian'\''s file, CHAP, and a target that comes late'
offline
cat >/etc/iscsi/iscsi.initramfs <<FILE
ISCSI_TARGET_NAME="$IQN-chap"
ISCSI_TARGET_IP=$TARGET_ADDRESS
ISCSI_USERNAME=alice
ISCSI_PASSWORD='$secret'
ISCSI_IP=10.0.0.2:::24::san0:none
FILE
target_kill tgt
"${connect[@]}" --timeout 60 >"$OUT/late" 2>&1 &
process=$!
wait_until 10 grep -q 'attempt 2' "$OUT/late"
target_restart tgt
wait $process || fail "the target was not waited for: $(<"$OUT/late")"
! grep -q $secret "$OUT/late" || fail 'the secret was printed'
expect_sessions 1
check_data "$(disk_of "$IQN-chap")" 1
log_out_all

echo '--- what fails tells why'
expect_exit 24 "${connect[@]}" --set "node.session.auth.password=@$(password_file wrongwrongwrong)"
expect_stderr "login to $IQN-chap at $TARGET_ADDRESS:3260 failed: .*"
expect_exit '4|8' "${connect[@]}" --target "$IQN" --portal "$TARGET_ADDRESS:3999" --timeout 1
rm /etc/iscsi/iscsi.initramfs
expect_exit 1 iscsi-admin boot network --command-line "netroot=iscsi:$TARGET_ADDRESS::::$IQN ip=10.0.0.2:::24::san0:none ip=a.b:none ip=nosuch" </dev/null
expect_nothing_left

echo '--- DHCP, with the target from the server'
offline
ip -n target address flush dev tgt1
ip -n target address add 10.0.1.1/24 dev tgt1
cat >"$WORK/udhcpd.conf" <<FILE
start 10.0.0.100
end 10.0.0.110
interface tgt0
lease_file $WORK/leases
option subnet 255.255.255.0
option router 10.0.0.1
option dns 10.0.0.53
option rootpath iscsi:$TARGET_ADDRESS:::1:$IQN
FILE
: >"$WORK/leases"
in_target busybox udhcpd -f -S "$WORK/udhcpd.conf" >"$OUT/udhcpd" 2>&1 &
server=$!
expect_exit 0 "${connect[@]}" --command-line 'root=dhcp ip=san0:dhcp' --default-route --dns
expect_match '^10\.0\.0\.1[01][0-9]/24$' "$(address_of san0)"
expect_equal 'nameserver 10.0.0.53' "$(</etc/resolv.conf)"
expect_sessions 1
! busybox pidof udhcpc || fail 'the client stays'
expect_exit 0 "${connect[@]}" --json --command-line "netroot=iscsi:$TARGET_ADDRESS::::$IQN ip=san0:dhcp"
expect_json '.network[0].wasThere and .sessions[0].wasThere'
log_out_all
echo '--- and where nobody has said how, on the device that gets an answer'
offline
expect_exit 0 "${connect[@]}" --command-line "netroot=iscsi:$TARGET_ADDRESS::::$IQN"
expect_sessions 1
kill $server
log_out_all
