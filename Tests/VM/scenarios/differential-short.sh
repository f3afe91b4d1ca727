# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What programs ask iscsiadm for, and random command lines: open-iscsi's and ours print and change the same. `differential` has the rest.
# kernels: 6.12
# daemon: no
# default: no
# limit: 300
#
# GENERATE and SEED: how many random lines, and which.

# shellcheck source=Tests/VM/differential/states.sh
source /vm/differential/states.sh
# shellcheck source=Tests/VM/differential/engine.sh
source /vm/differential/engine.sh
# shellcheck source=Tests/VM/differential/compare.sh
source /vm/differential/compare.sh

awk -f /vm/differential/generate.awk -v count="${GENERATE:-100}" -v seed="${SEED:-1}" >"$OUT/generated.txt"
files=(/vm/differential/cases/clients.txt "$OUT/generated.txt")
check_marks "${files[@]}"
targets_start
run_cases reference reference '*' "${files[@]}"
run_cases ours ours '*' "${files[@]}"
expect_same reference ours
