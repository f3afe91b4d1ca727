# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same command lines for open-iscsi's iscsiadm and for ours: all that both print and change is compared.
# daemon: no
# limit: 700
# default: no
#
# Settings: CASES, a pattern of groups (*); SLOW=yes, with those that wait long; GENERATE=N SEED=S, random command lines instead;
# REFERENCE_TWICE=yes, the reference beside itself; REFERENCE_ONLY=yes, its transcripts. $OUT gets a transcript for each group and tool, and "differences".

# shellcheck source=Tests/VM/differential/states.sh
source /vm/differential/states.sh
# shellcheck source=Tests/VM/differential/engine.sh
source /vm/differential/engine.sh
# shellcheck source=Tests/VM/differential/compare.sh
source /vm/differential/compare.sh

files=(/vm/differential/cases/*.txt)
if [[ -n ${GENERATE:-} ]]; then
  awk -f /vm/differential/generate.awk -v count="$GENERATE" -v seed="${SEED:-1}" >"$OUT/generated.txt"
  files=("$OUT/generated.txt")
elif [[ ${SLOW:-no} == yes ]]; then
  files+=(/vm/differential/cases/slow/*.txt)
fi
check_marks "${files[@]}"

second=ours
[[ ${REFERENCE_TWICE:-no} == no ]] || second=reference-again
targets_start
run_cases reference reference "${CASES:-*}" "${files[@]}"
[[ ${REFERENCE_ONLY:-no} == no ]] || exit 0
run_cases "${second%-again}" "$second" "${CASES:-*}" "${files[@]}"
expect_same reference "$second"
