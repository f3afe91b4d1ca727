# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Packets get lost silently both ways: some of them for a while, then all of them.
# kernels: 6.12
# targets: tgt lio
# limit: 150

target_start "$TARGET"
session_with_io
drop_packets 0 10
sleep 6
drop_packets 0 0
io_goes_on 30
outage_begins drop_packets 0 100
sleep 8
outage_ends drop_packets 0 0
end_session
