# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A login while the session is being logged out of waits for the end of that; who cannot wait is told so, and not that it exists.
# kernels: 6.12
# targets: tgt lio
# limit: 90

target_start "$TARGET"
no_checks=(--noop-interval 0 --noop-timeout 0 --replacement-timeout 600)
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${no_checks[@]}"
old=$(sid_of "$IQN") disk=$(disk_of "$IQN")
# What is still to be written holds up the removal of the disk.
target_freeze "$TARGET"
dd if=/dev/zero of="/dev/$disk" bs=64k count=16 2>/dev/null &
writer=$!
has_dirty_pages() { (($(awk '/^Dirty:|^Writeback:/ { sum += $2 } END { print sum }' /proc/meminfo) >= 512)); }
wait_until 10 has_dirty_pages
iscsi-admin logout "$IQN" >"$OUT/logout" 2>&1 &
logout=$!
wait_until 10 test -e "$DAEMON_SESSIONS/$old.leaving"

expect_exit 28 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 1
expect_stderr "session $old, .* still being logged out of"

echo '--- many that give up their logout leave no trace'
for _ in {1..5}; do
  timeout 0.1 iscsi-admin logout "$old" >/dev/null 2>&1 || true
done

iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" --timeout 60 "${no_checks[@]}" >"$OUT/login" 2>&1 &
login=$!
sleep 1
target_thaw "$TARGET"
wait $login || fail "the login failed: $(<"$OUT/login")"
wait $logout || fail "the logout failed: $(<"$OUT/logout")"
wait $writer || true
expect_sessions 1
(($(sid_of "$IQN") > old)) || fail 'it is the old session'
dd if="/dev/$(disk_of "$IQN")" of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null || fail 'the disk cannot be read'
expect_exit 0 iscsi-admin logout "$IQN"
expect_nothing_left
