# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The target hangs: connections stay and are made, and nobody answers. Then it goes on where it was.
# kernels: 6.12
# targets: tgt lio
# limit: 150

target_start "$TARGET"
# LIO cannot be stopped, but what stands before it can.
freeze=(target_freeze tgt) thaw=(target_thaw tgt)
if [[ $TARGET == lio ]]; then
  proxy_start 4000
  # shellcheck disable=SC2034 # session_with_io logs in there
  PORTAL=$TARGET_ADDRESS:4000 freeze=(proxy freeze) thaw=(proxy thaw)
fi
session_with_io
for seconds in 1 12; do
  outage_begins "${freeze[@]}"
  sleep $seconds
  outage_ends "${thaw[@]}"
done
end_session
