# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A thousand targets with five portals each: 5,000 records in one SendTargets answer of many PDUs.
# targets: lio
# limit: 400

target_add_many lio 1000 "$TARGET_ADDRESS:3260" "$TARGET_ADDRESS:3261" "$TARGET_ADDRESS:3262" \
  "$TARGET_ADDRESS_2:3260" "$TARGET_ADDRESS_2:3261"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS"
expect_equal 1000 "$(grep -o "$IQN-[0-9]*" "$OUT/stdout" | sort -u | wc -l)"
expect_exit 0 iscsi-admin discover "$TARGET_ADDRESS" --json
expect_equal 1000 "$(jq -r '.. | strings' "$OUT/stdout" | grep "^$IQN-" | sort -u | wc -l)"
