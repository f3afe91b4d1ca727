# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon is killed while the kernel makes many sessions for it: it is gone at once, and the next one clears up. SEED and RUNS.
# limit: 180
# kernels: 6.12

SEED=${SEED:-$((EPOCHSECONDS % 100000))} RUNS=${RUNS:-5} count=24
echo "SEED=$SEED RUNS=$RUNS"
RANDOM=$SEED
target_add_many lio $count
has_begun() { (($(host_count) > 0)) || process_ended "$command"; }

for ((run = 1; run <= RUNS; run++)); do
  iscsi-admin login --portal "$TARGET_ADDRESS" --all --no-scan --timeout 10 >"$OUT/killed" 2>&1 &
  command=$!
  until has_begun; do :; done
  after=$((RANDOM % 200))
  sleep "0.$(printf %03d $after)"
  echo "--- $run: killed $after ms after the first session, with $(host_count)"
  daemon_kill
  wait_until 10 process_ended "$command"
  # shellcheck disable=SC2119
  daemon_start
  wait_until 30 sessions_are_settled
  echo "sessions: $(session_count)"
  (($(session_count) == 0)) || expect_exit 0 iscsi-admin logout --all -q
  expect_nothing_left
done
