# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# mkinitcpio with a hook that calls open-iscsi's iscsistart, and our executable by that name; MKINITCPIO says where its sources are.
# limit: 300
# memory: 1024
# ibft: initiator name=iqn.2026-11.org.example:boot
# ibft: ethernet mac=52:54:00:12:31:50 ip=10.0.0.2/24 gateway=10.0.0.1
# ibft: target name=iqn.2026-11.org.example:disk ip=10.0.0.1 lun=1

[[ -n ${MKINITCPIO:-} ]] || skip 'MKINITCPIO does not say where the sources of mkinitcpio are'
image_of mkinitcpio-own
server serve_root tgt
diskless_start root=LABEL=root rw
expect_adopted
ends_whole tgt
