# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the runners have in common: what is tested, where results go, and what has to be downloaded. A runner sets VM_SOURCE.

ROOT=$(readlink -f "$VM_SOURCE/../..")
VM_DIR=${VM_DIR:-$ROOT/.vm}
# shellcheck disable=SC2034 # used by the runners
ISCSI_ADMIN=${ISCSI_ADMIN:-$ROOT/.build/iscsi-admin}
# The example of a program with the library.
# shellcheck disable=SC2034
EXAMPLE=${EXAMPLE:-$ROOT/.build/outage-example}
KERNELS=(6.1 6.12)
# shellcheck disable=SC2034
NEWEST_KERNEL=6.12
# shellcheck disable=SC2034
SETTINGS=() PATIENCE=1

die() {
  echo "${0##*/}: $*" >&2
  exit 2
}
note() { echo "${0##*/}: $*" >&2; }

# shellcheck source=Tests/VM/host/packages.sh
source "$VM_SOURCE/host/packages.sh"
# shellcheck source=Tests/VM/host/image.sh
source "$VM_SOURCE/host/image.sh"
# shellcheck source=Tests/VM/host/extras.sh
source "$VM_SOURCE/host/extras.sh"

# prepare [--refresh]: what KERNELS and EXTRAS name.
prepare() {
  local kernel extra
  if [[ ${1:-} == --refresh ]]; then
    rm -rf "$VM_DIR"/{debs,tools,layers,kernel-*,extra-*,firmware,builder,builder-network,system}
  elif (($#)); then
    die "prepare: unknown argument $1"
  fi
  mkdir -p "$VM_DIR"
  # Two runs at once must not unpack or pack the same thing.
  exec 7>"$VM_DIR/lock"
  flock 7
  prepare_tools
  for kernel in "${KERNELS[@]}"; do
    prepare_kernel "$kernel"
    modules_layer "$kernel" >/dev/null
  done
  tools_layer >/dev/null
  for extra in "${EXTRAS[@]}"; do
    prepare_extra "$extra"
    extra_layer "$extra" >/dev/null
  done
  flock -u 7
}
