# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon is killed at random moments of logins, recoveries and logouts; the next one always gets to a clean end. SEED and RUNS.
# targets: tgt lio
# limit: 240
# kernels: 6.12

SEED=${SEED:-$((EPOCHSECONDS % 100000))} RUNS=${RUNS:-5}
echo "SEED=$SEED RUNS=$RUNS"
RANDOM=$SEED
target_start "$TARGET"
# The time that each phase takes when nothing interferes, so that the moments are spread over it.
login=(iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}" --timeout 10)
expect_exit 0 "${login[@]}"
login_ms=$ELAPSED_MS
expect_exit 0 iscsi-admin logout "$IQN"
logout_ms=$ELAPSED_MS
recovery_ms=1500

# kill_after MILLISECONDS
kill_after() {
  sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
  daemon_kill
}
for ((run = 1; run <= RUNS; run++)); do
  phases=(login recovery logout)
  phase=${phases[run % 3]}
  case $phase in
    login) after=$((RANDOM % (login_ms + 50))) ;;
    recovery) after=$((RANDOM % recovery_ms)) ;;
    logout) after=$((RANDOM % (logout_ms + 50))) ;;
  esac
  echo "--- $run: killed $after ms into the $phase"
  if [[ $phase != login ]]; then
    expect_exit 0 "${login[@]}" -q
    wait_until 10 has_disks
    io_start "$(disks_of "$IQN" | head -1)" --workers 1 --size 2
  fi
  case $phase in
    login)
      "${login[@]}" >"$OUT/killed" 2>&1 &
      command=$!
      kill_after "$after"
      ;;
    recovery)
      command=''
      target_kill "$TARGET"
      target_restart "$TARGET"
      kill_after "$after"
      ;;
    logout)
      io_expect_clean
      iscsi-admin logout "$IQN" >"$OUT/killed" 2>&1 &
      command=$!
      kill_after "$after"
      ;;
  esac
  if [[ -n $command ]]; then
    # A client whose daemon has died ends soon, whatever it says.
    wait_until 10 process_ended "$command"
    wait "$command" || echo "the command ended with $?: $(head -2 "$OUT/killed")"
  fi
  daemon_start
  # What was being logged out, or was not logged in to its end, the next daemon removes: until then its session looks well.
  wait_until 30 sessions_are_settled
  echo "sessions: $(session_count)"
  [[ $phase != recovery ]] || { expect_sessions 1; io_goes_on 30; io_expect_clean; }
  if (($(session_count) == 1)); then
    check_data "$(disk_of "$IQN")" 1
    expect_exit 0 iscsi-admin logout "$IQN" -q
  fi
  expect_nothing_left
done
