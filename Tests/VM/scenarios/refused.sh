# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Every kind of refusal of RFC 7143, 11.13.5 keeps its own text and the status that scripts know.
# kernels: 6.12

port=4000
while read -r status code; do
  port=$((port + 1))
  fake_target $port read answer "status=$status"
  expect_exit "$code" iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:$port" --timeout 5
  expect_stderr "$IQN"
  expect_stderr "$status"
  expect_sessions 0
done <<'TABLE'
0201 24
0202 24
0203 19
0206 19
0207 19
0301 5
0302 5
TABLE
