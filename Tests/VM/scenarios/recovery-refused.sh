# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A target that refuses logins during a recovery is asked again until it takes them: such states pass.
# targets: tgt lio
# limit: 240
# kernels: 6.12

target_start "$TARGET"
session_with_io
for status in 0201 0202 0203 0206 0301 0302; do
  outage_begins target_refuse "$TARGET" $status
  refused() { grep '"kind": *"attemptFailed"' "$OUT/events" | grep -q "$status"; }
  wait_until 15 refused
  outage_ends target_accept "$TARGET"
done
end_session
