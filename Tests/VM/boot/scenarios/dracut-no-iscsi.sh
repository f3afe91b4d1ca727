# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut with no root=, and nothing that asks for iSCSI: our hook claims nothing, and systemd looks for a root file system at once.
# limit: 300
# memory: 1024

image_of dracut
diskless_begin rd.retry=600
wait_until 90 console_has 'Failed to switch root|Entering emergency mode'
! console_has '/dev/root|iscsi-admin: ' || fail 'somebody has waited for a disk of a session'
