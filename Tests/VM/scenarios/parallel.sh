# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Eight processes log in at once to different targets, and to the same one, where exactly one may win, and the others are told
# that the session exists when they can use it.
# targets: tgt
# limit: 240
# processors: 2
# clock: host

count=8
for ((number = 1; number <= count; number++)); do
  target_start "$TARGET" --name "$IQN-$number" --lun 1
done

processes=()
for ((number = 1; number <= count; number++)); do
  iscsi-admin login "$IQN-$number" --portal "$TARGET_ADDRESS" --timeout 60 >"$OUT/login-$number" 2>&1 &
  processes+=($!)
done
for number in "${!processes[@]}"; do
  wait "${processes[number]}" || fail "login $((number + 1)) failed: $(<"$OUT/login-$((number + 1))")"
done
expect_sessions $count
expect_exit 0 iscsi-admin logout --all
expect_sessions 0

# Prints how one of many equal logins has ended, and the state of the session then.
log_in_to_the_same() {
  local status=0
  iscsi-admin login "$IQN-1" --portal "$TARGET_ADDRESS" --timeout 60 >/dev/null 2>&1 || status=$?
  echo "$status $(cat /sys/class/iscsi_session/*/state)"
}

processes=()
for ((number = 1; number <= count; number++)); do
  log_in_to_the_same >"$OUT/same-$number" &
  processes+=($!)
done
wait "${processes[@]}"
won=0
for ((number = 1; number <= count; number++)); do
  expect_match '^(0|15) LOGGED_IN$' "$(<"$OUT/same-$number")"
  [[ $(<"$OUT/same-$number") != 0* ]] || won=$((won + 1))
done
expect_equal 1 $won
expect_sessions 1
expect_exit 0 iscsi-admin logout --all
