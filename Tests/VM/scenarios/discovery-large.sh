# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A thousand targets with five portals each: 5,000 records in one SendTargets answer of many PDUs.
# targets: lio
# kernels: 6.12
# limit: 200

target_add_many lio 1000 "$TARGET_ADDRESS:3260" "$TARGET_ADDRESS:3261" "$TARGET_ADDRESS:3262" \
  "$TARGET_ADDRESS_2:3260" "$TARGET_ADDRESS_2:3261"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --json
expect_json '.targets | length == 1000 and all(.portals | length == 5)'
expect_json '[.targets[].name] | unique | length == 1000'
