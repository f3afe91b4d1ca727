# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A storm of resets: each connection is reset soon after it is there.
# kernels: 6.12
# targets: tgt lio
# limit: 120

target_start "$TARGET"
session_with_io
for ((storm = 1; storm <= 20; storm++)); do
  reset_connections
  sleep "0.$((RANDOM % 5))"
done
outage_ends true
((10#$(events recovered) >= 1)) || fail 'no reset was noticed'
end_session
