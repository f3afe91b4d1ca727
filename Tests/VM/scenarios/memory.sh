# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The daemon's memory, all of which is locked: with 128 sessions, and after many recoveries. RECOVERIES sets how many.
# VmLck has address space besides that nobody has touched, of stacks: it is shown, and what counts is what is in memory.
# kernels: 6.12
# limit: 600

RECOVERIES=${RECOVERIES:-256} count=128 limit_kb=$((27 * 1024))
target_add_many lio $count
show() { echo "$1: VmLck $(daemon_kb VmLck), Locked $(daemon_kb Locked), VmRSS $(daemon_kb VmRSS), Pss $(daemon_kb Pss) KiB, $(daemon_threads) threads, $(daemon_descriptors) files"; }
show 'without sessions'
expect_exit 0 iscsi-admin login --portal "$TARGET_ADDRESS" --all --no-scan --timeout 60 -q
expect_whole $count
show "$count sessions"
for field in Locked VmRSS; do
  kb=$(daemon_kb $field)
  ((kb <= limit_kb)) || fail "$field is $kb KiB with $count sessions"
done
# round: all of them are lost and back.
round() {
  target_kill lio
  wait_until 30 all_sessions_are FAILED $count
  target_restart lio
  wait_until 60 all_sessions_are LOGGED_IN $count
}
round
descriptors=$(daemon_descriptors) before=$(daemon_kb VmRSS)
show 'after one outage of all'
for ((done = 0; done < RECOVERIES; )); do
  round
  done=$((done + count))
  # Growth that goes on would show as a slope.
  ((done % (count * 8) != 0 && done < RECOVERIES)) || show "after $done more recoveries"
done
after=$(daemon_kb VmRSS)
((after <= limit_kb)) || fail "VmRSS is $after KiB after $done recoveries"
((after <= before + 1024)) || fail "VmRSS has grown from $before to $after KiB with $done recoveries"
# Some come and go with what the daemon looks at.
has_no_more_descriptors() { (($(daemon_descriptors) <= descriptors)); }
wait_until 10 has_no_more_descriptors
expect_exit 0 iscsi-admin logout --all -q
show 'after the logouts'
expect_nothing_left
