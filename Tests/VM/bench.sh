#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures our command beside open-iscsi in the test machine and prints a table. Arguments: a kernel, 6.12 by default.
# Times under emulation are long; what counts is the ratio within a row.
set -euo pipefail
source_folder=$(dirname "$(readlink -f "$0")")
kernel=${1:-6.12}
VM_DIR=${VM_DIR:-$(readlink -f "$source_folder/../..")/.vm}
export VM_DIR
"$source_folder/machine" run --kernel "$kernel" --limit 1200 benchmark
cat "$VM_DIR/out/$kernel/benchmark/table"
