# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target that dies at the very end of the login or while it is scanned: either the login failed and nothing is left, or the
# session is up and says that its scan failed, or that it has no disks if it was logged in again meanwhile; then it can be removed.
# kernels: 6.12
# limit: 180

# attempt STEP...: logs in to a target that plays these steps after its last Login Response.
attempt() {
  echo "--- $*"
  fake_target 4000 read answer text=TargetPortalGroupTag=1 "$@"
  run iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --timeout 5 --replacement-timeout 1 \
    --noop-interval 1 --noop-timeout 1
  expect_within 20000
  if ((STATUS == 0)); then
    # The target takes another login and dies of that, too: a scan between the two has found nothing.
    expect_stdout 'no disks$'
    grep -q "session $(sid_of "$IQN") .*: operational again" "$OUT/daemon.log" || fail 'a login to a target that died succeeded'
  fi
  if (($(session_count) == 0)); then
    expect_stderr "login to $IQN"
    expect_nothing_left 4000
    return
  fi
  ((STATUS == 0)) || expect_stderr 'scan of session'
  # It takes logins, so the session comes and goes.
  expect_exit 0 iscsi-admin session list
  expect_exit 0 iscsi-admin session show
  expect_exit 0 iscsi-admin logout --all --timeout 5
  expect_stderr 'was not told'
  expect_within 10000
  expect_nothing_left 4000
}
attempt close
attempt reset
attempt read close
attempt octets "$(printf 'ff%.0s' {1..96})"
# Nothing answers REPORT LUNS; the kernel's NOP-Out finds out.
attempt silent

# The same without NOP-Out would take as long as the kernel's SCSI timers: --no-scan leaves them out.
fake_target 4000 read answer text=TargetPortalGroupTag=1 silent
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --no-scan --noop-interval 0
expect_sessions 1
expect_exit 0 iscsi-admin logout --all --timeout 2
expect_stderr 'was not told'
expect_within 5000
expect_nothing_left 4000
