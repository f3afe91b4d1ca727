#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sourced by dracut before its emergency shell: why the disks of the boot are not there.
if [ -s "${PREFIX-}/run/iscsi-admin-reason" ] && [ ! -e "${PREFIX-}/run/iscsi-admin-connected" ]; then
  warn 'The iSCSI disks of the boot are not there; iscsi-admin boot show tells what was asked for'
  tail -n 3 "${PREFIX-}/run/iscsi-admin-reason" | while read -r line; do warn "$line"; done
fi
