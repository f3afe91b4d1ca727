# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A real iPXE under UEFI does the same, and iscsistart goes on; iPXE has left its table where ACPI has its own.

boots_by_ipxe uefi 'iscsistart -N
iscsistart -b'
ends_whole tgt
