# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Portals by name: resolved, each address tried in turn, and kept as they were given.
# kernels: 6.12

target_start lio
expect_exit 0 iscsi-admin discover target
expect_stdout "$IQN"
expect_exit 0 iscsi-admin login "$IQN" --portal target
expect_stdout "target:3260"
connection=$(connection_of "$IQN")
expect_equal target "$(<"$connection/persistent_address")"
expect_equal 3260 "$(<"$connection/persistent_port")"
expect_equal "$TARGET_ADDRESS" "$(<"$connection/address")"
expect_exit 0 iscsi-admin session list
expect_stdout "$TARGET_ADDRESS:3260.*$IQN"
expect_exit 0 iscsi-admin session show
expect_stdout '^ *Configured portal +target:3260$'
expect_stdout "^ *Portal +$TARGET_ADDRESS:3260"
expect_exit 0 iscsi-admin session show --json
expect_json '.sessions[0].connection | .configuredPortal.address == "target" and .portal.address == "10.0.0.1"'
expect_exit 15 iscsi-admin login "$IQN" --portal target:3260
expect_sessions 1
expect_exit 21 iscsi-admin logout "$IQN" --portal elsewhere
expect_exit 0 iscsi-admin logout "$IQN" --portal target
expect_nothing_left

# The first address of each does not answer: the host is not there, or the port is closed (see the machine's /etc/hosts).
expect_exit 0 iscsi-admin login "$IQN" --portal absent-first --timeout 8
expect_equal "$TARGET_ADDRESS" "$(<"$(connection_of "$IQN")/address")"
expect_exit 0 iscsi-admin logout --all
expect_exit 0 iscsi-admin login "$IQN" --portal closed-first --timeout 8
expect_equal "$TARGET_ADDRESS" "$(<"$(connection_of "$IQN")/address")"
expect_exit 0 iscsi-admin logout --all

# Where the name leads to its second address, a session may be there that was made by the address, or be made at the same time.
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
expect_exit 15 iscsi-admin login "$IQN" --portal closed-first --timeout 8
expect_stderr 'has this target, portal and interface already'
expect_sessions 1
expect_exit 0 iscsi-admin logout --all
processes=()
for number in {1..10}; do
  for portal in closed-first "$TARGET_ADDRESS"; do
    { status=0; iscsi-admin login "$IQN" --portal "$portal" --timeout 60 >"$OUT/login-$number-$portal" 2>&1 || status=$?; echo $status >>"$OUT/statuses"; } &
    processes+=($!)
  done
done
wait "${processes[@]}"
expect_equal '0x1 15x19' "$(sort -n "$OUT/statuses" | uniq -c | awk '{ printf "%s%sx%s", (NR > 1 ? " " : ""), $2, $1 }')"
expect_sessions 1
expect_exit 0 iscsi-admin logout --all

for command in "login $IQN --portal" discover; do
  # shellcheck disable=SC2086
  expect_exit 4 iscsi-admin $command no-such-host.example --timeout 5
  expect_stderr 'no-such-host\.example:3260 failed: the host name cannot be resolved'
  expect_within 5000
done
expect_nothing_left
