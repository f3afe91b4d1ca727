#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures our command and our daemon beside open-iscsi's in the test machine and prints four tables. Arguments: a kernel, 6.12 by default.
# Times under emulation are long; what counts is the ratio within a row.
set -euo pipefail
source_folder=$(dirname "$(readlink -f "$0")")
kernel=${1:-6.12}
VM_DIR=${VM_DIR:-$(readlink -f "$source_folder/../..")/.vm}
# The kernel as machines have it: clearing memory and defending against its processor count, too. But for the tables of
# its own that it has on processors of before 2019: under emulation changing between the two is most of a system call.
QUICK_KERNEL='pti=off'
export VM_DIR QUICK_KERNEL
"$source_folder/machine" run --kernel "$kernel" --limit 2400 benchmark benchmark-records benchmark-snapshot benchmark-daemon
cat "$VM_DIR/out/$kernel/benchmark/table"
for scenario in benchmark-records benchmark-snapshot benchmark-daemon; do
  echo
  cat "$VM_DIR/out/$kernel/$scenario/table"
done
