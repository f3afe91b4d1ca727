# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target comes back with fewer units: the others go on, the session is back, and a logout leaves nothing.
# kernels: 6.12
# targets: tgt lio
# limit: 120

target_start "$TARGET" --lun 16 --lun 12 --lun 8
session_with_io
three_disks() { [[ $(disks_of "$IQN" | wc -l) == 3 ]]; }
wait_until 10 three_disks
mapfile -t disks < <(disks_of "$IQN")
outage_begins target_kill "$TARGET"
target_remove_lun "$TARGET" "$IQN" $(($(first_lun "$TARGET") + 1))
outage_ends target_restart "$TARGET"
# LIO's says that it has no octets, tgt's fails.
expect_equal 0 "$(dd if="/dev/${disks[1]}" bs=4k count=1 iflag=direct 2>/dev/null | wc -c || true)"
check_data "${disks[2]}" 1
end_session
