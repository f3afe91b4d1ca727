# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A real system with ifupdown, which has the card of the root file system by `auto` and by `allow-hotplug`, leaves it as it is; without the notes it gives it another address, and switches it off.
# limit: 200
# memory: 768
# root: system

# shellcheck source=Tests/VM/boot/managers.sh
source "$BOOT_SOURCE/managers.sh"
serve 'printf "%s\n" "auto lo eth0" "iface lo inet loopback" "allow-hotplug eth0 eth1" "iface eth0 inet dhcp" "iface eth1 inet dhcp" >etc/network/interfaces
  systemctl --quiet --root=. enable networking'
system_start rd.iscsi.hand_over
system_is_whole
expect_left_alone
expect_check 'OK +nothing is known to take eth0 away at the shutdown'
for command in 'systemctl restart networking' 'ifup --allow=hotplug eth0; systemctl start ifup@eth0' 'systemctl stop networking' \
  'systemctl start networking' 'ifdown eth0'; do
  echo "--- $command"
  in_root "$command"
  expect_left_alone
done
system_ends_whole reboot

echo '--- without the notes'
system_start
system_is_whole
first_card_has_seen '^2: eth0 +inet 10\.0\.0\.5'
expect_check 'PROBLEM +ifupdown switches eth0 off at the shutdown'
in_root systemctl --no-block stop networking
wait_until 60 first_card_has_seen '^2: eth0: <BROADCAST,MULTICAST> .* state DOWN'
