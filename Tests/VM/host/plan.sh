# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is to run: scenarios with their headers. A header line of a scenario is "# KEY: VALUE":
#   targets: tgt lio      run once with each, $TARGET says which; on the older kernel with the first alone    (default: once, without)
#   kernels: 6.1 6.12     only there                                  (default: everywhere)
#   limit: SECONDS        its time                                    (default: 60)
#   reference: open-iscsi runs with the reference instead of our executable; "none": with neither
#   daemon: no            our daemon is not started before it         (default: yes, and no with a reference)
#   leaves: sessions      sessions left at the end are no failure
#   needs: EXTRA          a layer of host/extras.sh, in a boot of its own   (default: none)
#   ibft: STRUCTURE ...   several lines, see host/ibft: a boot of its own with such a table of the firmware   (default: none)
#   processors: N         a boot of its own with so many            (default: what the machine has, see VM_CPUS)
#   clock: host           a boot of its own in which time is the host's, for what measures speed   (default: the machine's, see boot.sh)
#   default: no           only when named

scenario_file() {
  echo "$VM_SOURCE/scenarios/$1.sh"
}

all_scenarios() {
  local file
  for file in "$VM_SOURCE"/scenarios/*.sh; do
    grep -q '^# default: no$' "$file" || basename "$file" .sh
  done
}

# header SCENARIO KEY: the value, or nothing.
header() {
  sed -n "s/^# $2: *//p" "$(scenario_file "$1")" | head -1
}

# list_scenarios: each with the first line of its description.
list_scenarios() {
  local name
  while read -r name; do
    printf '%-22s %s\n' "$name" "$(sed -n '/^# SPDX/d; s/^# \([A-Z].*\)/\1/p' "$(scenario_file "$name")" | head -1)"
  done < <(all_scenarios)
}

# make_plan KERNEL SCENARIO...: a line for each run: id, scenario, target, limit, reference, daemon, what it leaves, what it needs
# and behind an @ the scenario whose firmware it boots with, behind a % the number of processors, and ~host if it is to have that clock.
make_plan() {
  local kernel=$1 name target kernels targets limit reference daemon leaves needs processors
  shift
  for name in "$@"; do
    [[ -e $(scenario_file "$name") ]] || die "there is no scenario $name"
    kernels=$(header "$name" kernels)
    [[ -z $kernels || " $kernels " == *" $kernel "* ]] || continue
    targets=$(header "$name" targets)
    # What the target's side does differently does not depend on the initiator's kernel.
    [[ $kernel == "$NEWEST_KERNEL" ]] || targets=${targets%% *}
    limit=$(header "$name" limit)
    reference=$(header "$name" reference)
    daemon=$(header "$name" daemon)
    [[ -n $daemon || -z $reference ]] || daemon=no
    leaves=$(header "$name" leaves)
    needs=$(header "$name" needs)
    [[ -z $(header "$name" ibft) ]] || needs=${needs:--}@$name
    processors=$(header "$name" processors)
    [[ -z $processors ]] || needs=${needs:--}%$processors
    [[ $(header "$name" clock) != host ]] || needs=${needs:--}~host
    for target in ${targets:--}; do
      echo "$name${targets:+-$target} $name $target $((${limit:-60} * PATIENCE)) ${reference:-no} ${daemon:-yes} ${leaves:-nothing} ${needs:--}"
    done
  done
}

# share_plans DIRECTORY RUNS SCENARIO...: shares what is to run on KERNELS among boots, in DIRECTORY/KERNEL-1.waiting and so on, and names
# these in DIRECTORY/order, the longest first. What needs a boot of its own has one together, of the rest about RUNS have one, the longest of
# them where there is the least so far, going by the limits.
share_plans() {
  local directory=$1 runs=$2 kernel
  shift 2
  # shellcheck disable=SC2153 # an array of machine
  for kernel in "${KERNELS[@]}"; do
    make_plan "$kernel" "$@" | sort -s -k8,8 -k4,4nr | awk -v runs="$runs" -v directory="$directory" -v kernel="$kernel" '
      { line[NR] = $0; limit[NR] = $4; kind[NR] = $8; count[$8]++ }
      END {
        for (run = 1; run <= NR; run++) {
          if (kind[run] != kind[run - 1]) { first = last + 1; last += int((count[kind[run]] + runs - 1) / runs) }
          least = first
          for (boot = first; boot <= last; boot++) if (sum[boot] < sum[least]) least = boot
          sum[least] += limit[run]
          print line[run] >(directory "/" kernel "-" least ".waiting")
        }
        for (boot = 1; boot <= last; boot++) print sum[boot], kernel "-" boot
      }'
  done | sort -s -k1,1nr | cut -d' ' -f2 >"$directory/order"
}

# needed_extras SCENARIO...: what these need on KERNELS, in one line.
needed_extras() {
  local kernel
  # shellcheck disable=SC2153 # an array of machine
  for kernel in "${KERNELS[@]}"; do make_plan "$kernel" "$@"; done | awk '{ sub(/[@%~].*/, "", $NF) } $NF != "-" { print $NF }' | sort -u | paste -sd ' '
}
