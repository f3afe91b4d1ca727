# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The firmware's addresses are of IPv6.
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=fd00::2/64
# ibft: target name=iqn.2026-11.org.example:disk ip=fd00::1 lun=1

initramfs <<'SCRIPT'
iscsistart -N
iscsistart -b
SCRIPT
server serve_root tgt --portal '[fd00::1]:3260'
diskless_start
# The address is waited for until nobody else has it; before that it cannot be used.
! grep -a 'attempt 1 failed' "$RUN_DIRECTORY/diskless-console" || fail 'the first login came before the address'
expect_adopted
ends_whole tgt
