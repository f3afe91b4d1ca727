# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same with systemd-networkd; without the notes it takes the card's address away at once.
# limit: 200
# memory: 768
# root: system

# shellcheck source=Tests/VM/boot/managers.sh
source "$BOOT_SOURCE/managers.sh"
serve 'printf "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n" >etc/systemd/network/50-all.network
  systemctl --quiet --root=. enable systemd-networkd'
system_start rd.iscsi.hand_over
system_is_whole
expect_match 'Network File: /run/systemd/network/05-iscsi-admin-eth0.network' "$(in_root networkctl status eth0)"
expect_left_alone
expect_check 'OK +nothing is known to take eth0 away at the shutdown'
for command in 'systemctl restart systemd-networkd' 'networkctl reload; networkctl reconfigure eth0 eth1' \
  'systemctl stop systemd-networkd.socket systemd-networkd'; do
  echo "--- $command"
  in_root "$command"
  expect_left_alone
done
expect_equal '' "$(addresses_of eth1)"
in_root systemctl start systemd-networkd
wait_until 30 second_card_is_up
expect_left_alone
system_ends_whole

echo '--- without the notes'
system_start
wait_until 60 first_card_has_seen '^Deleted 2: eth0 +inet 10\.0\.0\.2/'
