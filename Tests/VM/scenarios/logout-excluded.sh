# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A logout of all sessions leaves those alone whose targets are excluded, and names them.
# kernels: 6.12
# targets: tgt lio

list=/etc/iscsi-admin/exclusions.conf
target_start "$TARGET"
target_start "$TARGET" --name "$IQN-root"
mkdir -p "${list%/*}"
log_in_to_both() {
  expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
  grep -qsx -- "$IQN-root" /sys/class/iscsi_session/*/targetname ||
    expect_exit 0 iscsi-admin login "$IQN-root" --portal "$TARGET_ADDRESS"
  expect_sessions 2
}
left_alone() { echo "iscsi-admin: session $(sid_of "$IQN-root") is left alone: $list names $IQN-root"; }

log_in_to_both
printf '# the root file system\n%s   # and nothing else\n' "$IQN-root" >"$list"
sid=$(sid_of "$IQN") disk=$(disk_of "$IQN-root")
expect_exit 0 iscsi-admin logout --all
expect_equal "session $sid: logged out of $IQN" "$(<"$OUT/stdout")"
expect_equal "$(left_alone)" "$(<"$OUT/stderr")"
expect_sessions 1
check_data "$disk" 1

echo '--- nothing else is there'
expect_exit 0 iscsi-admin logout --all
expect_silent_stdout
expect_equal "$(left_alone)" "$(<"$OUT/stderr")"
expect_sessions 1

echo '--- by the beginning of their names, and for a program'
log_in_to_both
echo "$IQN-*" >"$list"
expect_exit 0 iscsi-admin logout --all --json
expect_json ".logouts | length == 1 and .[0].target == \"$IQN\""
expect_equal "$(left_alone)" "$(<"$OUT/stderr")"
expect_exit 0 iscsi-admin logout --all --quiet
expect_silent_stderr
expect_sessions 1

echo '--- an unreadable list is not an empty one'
echo 'a line that is no name' >"$list"
expect_exit 7 iscsi-admin logout --all
expect_stderr "line 1 of $list is no target name"
expect_sessions 1

echo '--- what stop scripts call, by the other name'
echo "$IQN-root" >"$list"
mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"
iscsiadm() { "$WORK/ours/iscsiadm" "$@"; }
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --save
for command in '-m node -U all' '-m node -u' '-m session -u'; do
  log_in_to_both
  # shellcheck disable=SC2086 # a command line
  expect_exit 0 iscsiadm $command
  expect_stdout "^Logout of .*target: $IQN, .* successful"
  expect_stderr "is left alone: $list names its target"
  expect_sessions 1
done
expect_exit 0 iscsiadm -m node -U all
expect_silent_stdout
expect_sessions 1

echo '--- who names it means it'
echo "$IQN-root" >"$list"
expect_exit 0 iscsi-admin logout "$IQN-root"
expect_silent_stderr
expect_nothing_left
rm "$list"
log_in_to_both
expect_exit 0 iscsi-admin logout --all
expect_silent_stderr
expect_nothing_left
