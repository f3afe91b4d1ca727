# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware names two cards and two targets, of which nobody answers for the first; the second has the root file system.
# limit: 180
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24
# ibft: ethernet mac=52:54:00:12:31:51 ip=10.0.1.2/24
# ibft: target name=iqn.2026-11.org.example:gone ip=10.0.0.1 lun=1 nic=0
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.1.1 lun=1 nic=1

# There is no such target, so that the first is given up at once.
initramfs <<'SCRIPT'
iscsistart -N
iscsistart -b || echo "iscsistart: status $?"
SCRIPT
server target_start tgt --name iqn.2026-11.org.example:other
server serve_root tgt
server listen_too 10.0.1.1:3260
diskless_start
grep -a '^iscsistart: status 1' "$RUN_DIRECTORY/diskless-console" || fail 'the target that is not there is no failure'
expect_adopted
ends_whole tgt
