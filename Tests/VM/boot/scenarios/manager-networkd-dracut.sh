# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same with systemd-networkd, behind an image by dracut: one systemd hands over to the other.
# limit: 200
# memory: 1024
# root: system

# shellcheck source=Tests/VM/boot/managers.sh
source "$BOOT_SOURCE/managers.sh"
image_of dracut
printf '#!/bin/sh\n%s\n' "$NOTE_CONNECTIONS" >"$RUN_DIRECTORY/note"
truncate -s %4 "$RUN_DIRECTORY/diskless-initramfs"
add_file "$RUN_DIRECTORY/diskless-initramfs" "$RUN_DIRECTORY/note" usr/lib/dracut/hooks/pre-pivot/99-note.sh
serve 'printf "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n" >etc/systemd/network/50-all.network
  systemctl --quiet --root=. enable systemd-networkd'
system_goes_on root=LABEL=root rw rd.iscsi.hand_over
system_is_whole
expect_left_alone
in_root systemctl restart systemd-networkd
wait_until 30 second_card_is_up
expect_left_alone
system_ends_whole
