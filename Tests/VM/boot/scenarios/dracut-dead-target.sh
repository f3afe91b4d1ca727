# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut with a target that nobody answers for: when dracut's time is over there is its emergency shell, and the reason before it.
# limit: 300
# memory: 1024

image_of dracut
diskless_begin ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot \
  root=LABEL=root rw "netroot=iscsi:10.0.0.1:::1:$IQN" rd.retry=20
wait_until 60 console_has "login to $IQN at 10.0.0.1:3260 failed: connection refused"
tried=$EPOCHSECONDS
wait_until 60 console_has 'Warning: Could not boot.'
wait_until 30 console_has 'Warning: The iSCSI disks of the boot are not there'
wait_until 5 console_has "Warning: .*login to $IQN at 10.0.0.1:3260 failed: connection refused"
wait_until 30 console_has 'Entering emergency mode'
echo "the shell is there $((EPOCHSECONDS - tried)) s after the first attempt"
