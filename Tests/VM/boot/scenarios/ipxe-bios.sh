# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A real iPXE under a BIOS hooks the disk and starts kernel and initramfs, which goes on as our hooks do with the table that iPXE has left.

boots_by_ipxe bios 'iscsi-admin boot connect --if-configured'
expect_diskless_profile
ends_whole tgt
