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
#   processors: N         a boot of its own with so many            (default: what the machine has, see run_kernels)
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
# and behind an @ the scenario whose firmware it boots with, behind a % the number of processors.
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
    for target in ${targets:--}; do
      echo "$name${targets:+-$target} $name $target $((${limit:-60} * PATIENCE)) ${reference:-no} ${daemon:-yes} ${leaves:-nothing} ${needs:--}"
    done
  done
}

# share_plan PLAN MACHINES NAME: shares it among machines, in NAME-0, NAME-1 and so on: what needs a boot of its own goes together, and the
# longest first to the machine that has the least so far, going by the limits.
share_plan() {
  local machine
  for ((machine = 0; machine < $2; machine++)); do : >"$3-$machine"; done
  awk '{ kind = $NF == "-" ? $1 : $NF }
    NR == FNR { total[kind] += $4; next }
    { print total[kind], kind, $0 }' "$1" "$1" | sort -s -k1,1nr -k2,2 |
    awk -v machines="$2" -v name="$3" '
      $2 != kind { kind = $2; for (machine = least = 0; machine < machines; machine++) if (sum[machine] < sum[least]) least = machine }
      { sum[least] += $6; sub(/^[^ ]+ [^ ]+ /, ""); print >(name "-" least) }'
}

# needed_extras SCENARIO...: what these need on KERNELS, in one line.
needed_extras() {
  local kernel
  # shellcheck disable=SC2153 # an array of machine
  for kernel in "${KERNELS[@]}"; do make_plan "$kernel" "$@"; done | awk '{ sub(/[@%].*/, "", $NF) } $NF != "-" { print $NF }' | sort -u | paste -sd ' '
}
