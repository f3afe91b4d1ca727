# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The machine itself: clean, with both paths up.
# reference: none
expect_sessions 0
network_up
expect_exit 0 ping -c 1 -W 2 "$TARGET_ADDRESS"
expect_exit 0 ping -c 1 -W 2 "$TARGET_ADDRESS_2"
expect_exit 0 ping -c 1 -W 2 "$TARGET_ADDRESS_6"
