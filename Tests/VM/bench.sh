#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures our command and our daemon beside open-iscsi's in the test machine and prints five tables. Arguments: a kernel, 6.12 by default.
# Times under emulation are long; what counts is the ratio within a row.
set -euo pipefail
source_folder=$(dirname "$(readlink -f "$0")")
kernel=${1:-6.12}
VM_DIR=${VM_DIR:-$(readlink -f "$source_folder/../..")/.vm}
export VM_DIR

# measure SETTINGS SCENARIO...: with these settings of the kernel; all that machines have besides is left on, such as clearing memory
# and defending against the processor.
measure() {
  local scenario settings=$1
  shift
  QUICK_KERNEL=$settings "$source_folder/machine" run --kernel "$kernel" --limit 2400 "$@"
  for scenario; do
    echo
    echo "The kernel's settings: ${settings:-as Debian boots it}"
    cat "$VM_DIR/out/$kernel/$scenario/table"
  done
}

# The processor is one of before 2019, so that the kernel keeps page tables of its own: changing between the two is most of a
# system call under emulation. On later processors there is no such thing, and nor is there in the other tables.
measure '' benchmark
measure pti=off benchmark benchmark-records benchmark-snapshot benchmark-daemon
