# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Every command of docs/boot.md does what the page says: in the installer, in images of the three ways, and in the system.
# limit: 300
# ibft: initiator name=iqn.2026-11.org.example:client
# ibft: ethernet mac=52:54:00:12:31:50 ip=192.168.1.101/24 gateway=192.168.1.1
# ibft: target name=iqn.2026-11.org.example:arch ip=192.168.1.100 lun=1

ROOT_TARGET=iqn.2026-11.org.example:arch
PAGE=$ROOT/docs/boot.md
# page PLACE FIRST [LAST]: the commands of these blocks, of those for one place.
page() {
  awk -v place="$1" -v first="$2" -v last="${3:-$2}" '
    /^```sh / { open = $2 == place; number += open; next }
    /^```$/ { open = 0 }
    open && number >= first && number <= last' "$PAGE"
}
# says TEXT: the diskless machine has printed it.
says() { grep -aqF -- "$1" "$RUN_DIRECTORY/diskless-console" || fail "it does not say: $1"; }
# boots_and_ends: the system comes up by what the image did, and goes down again.
boots_and_ends() {
  diskless_start
  expect_adopted
  expect_diskless_profile
  diskless_ends
}

# One block more on the page is one that nobody has run.
expect_equal '8 3 6' "$(for place in installer image system; do grep -c "^\`\`\`sh $place\$" "$PAGE"; done | paste -sd ' ')"
server 'ip address add 192.168.1.100/24 dev eth0'
server serve_root tgt --name $ROOT_TARGET --portal 192.168.1.100:3260

echo '--- the installer'
initramfs <<SCRIPT
ip address add 192.168.1.101/24 dev eth0
ip link set eth0 up
$(page installer 1 8)
cat /mnt/etc/iscsi/initiatorname.iscsi /mnt/etc/iscsi/iscsi.initramfs
SCRIPT
boots_and_ends
says '192.168.1.100:3260,1  iqn.2026-11.org.example:arch'
says 'session 1: logged in to iqn.2026-11.org.example:arch at 192.168.1.100:3260: sda 80.0 MiB'
says 'ISCSI_IP=eth0:dhcp'

echo '--- an image with the firmware of a boot ROM, and the system'
initramfs <<SCRIPT
$(page image 1 2)
SCRIPT
diskless_start
says 'Firmware   ibft'
expect_adopted
expect_diskless_profile
# The kernel and the image of this machine came from elsewhere, which is the first thing to be told.
in_root "$(page system 1)" >"$OUT/check" && fail 'the check has found an image'
grep -E '^ *PROBLEM' "$OUT/check"
for block in 2 3 4 5 6; do in_root "set -e; $(page system $block)"; done
in_root 'ls /etc/udev/rules.d'
diskless_ends

echo '--- an image by hand'
initramfs <<SCRIPT
$(page image 3)
SCRIPT
boots_and_ends

echo '--- images with the file of the new system: a static address, then DHCP'
server serve_dhcp --dhcp-range=192.168.1.50,192.168.1.60,10m --dhcp-host=52:54:00:12:31:50,192.168.1.101
for last in 6 8; do
  # What the hook does.
  initramfs <<SCRIPT
mkdir -p /mnt/etc/iscsi
echo InitiatorName=iqn.2026-11.org.example:client >/mnt/etc/iscsi/initiatorname.iscsi
$(page installer 6 $last | grep -v '^iscsi-admin boot show')
cp /mnt/etc/iscsi/* /etc/iscsi/
iscsi-admin boot connect --if-configured
SCRIPT
  boots_and_ends
done
