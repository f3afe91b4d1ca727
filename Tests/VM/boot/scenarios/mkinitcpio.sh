# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An image by mkinitcpio with our hook, from the firmware's table, and by parameters with a static address and DHCP; MKINITCPIO says where its sources are.
# limit: 300
# memory: 1024
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1

[[ -n ${MKINITCPIO:-} ]] || skip 'MKINITCPIO does not say where the sources of mkinitcpio are'
image_of mkinitcpio
server serve_root tgt
server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-host=52:54:00:12:31:50,10.0.0.52
for way in 10.0.0.2: "10.0.0.2: ip=10.0.0.2::10.0.0.1:255.255.255.0::eth0:none netroot=iscsi:10.0.0.1:::1:$IQN" \
  "10.0.0.52: ip=eth0:dhcp netroot=iscsi:10.0.0.1:::1:$IQN"; do
  echo "--- $way"
  diskless_start root=LABEL=root rw rd.iscsi.initiator=iqn.2026-11.org.example:boot "${way#*:}"
  expect_match "${way%%:*}/24" "$(diskless 'ip -4 address show dev eth0')"
  expect_adopted
  expect_diskless_profile
  ends_whole tgt
done
