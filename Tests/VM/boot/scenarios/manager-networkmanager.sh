# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same with NetworkManager; without the notes it takes the card as it is, but its address away when it is told to have no network.
# limit: 200
# memory: 768
# root: system

# shellcheck source=Tests/VM/boot/managers.sh
source "$BOOT_SOURCE/managers.sh"
serve 'systemctl --quiet --root=. enable NetworkManager'
system_start rd.iscsi.hand_over
system_is_whole
expect_match '^unmanaged$' "$(in_root nmcli -g GENERAL.STATE device show eth0 | sed 's/.*(\(.*\))/\1/')"
expect_left_alone
expect_check 'OK +nothing is known to take eth0 away at the shutdown'
for command in 'systemctl restart NetworkManager' 'nmcli networking off' 'nmcli networking on' 'systemctl stop NetworkManager' \
  'systemctl start NetworkManager'; do
  echo "--- $command"
  in_root "$command"
  expect_left_alone
done
wait_until 30 second_card_is_up
system_ends_whole

echo '--- without the notes'
system_start
system_is_whole
expect_match '^connected \(externally\)$' "$(in_root nmcli -g GENERAL.STATE device show eth0 | sed 's/[0-9]* (\(.*\))/\1/')"
expect_left_alone
diskless "chroot /proc/1/root /usr/bin/nmcli networking off </dev/null >/dev/null 2>&1 &"
wait_until 60 first_card_has_seen '^Deleted 2: eth0 +inet 10\.0\.0\.2/'
