# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Boots the machine, follows what it reports and judges: a scenario that takes the machine down fails alone, the rest runs in a
# new boot. As many machines run at the same time as the host has processors, each followed by a shell of its own; file 6 is the lock of
# their output.

# The clock of an emulated machine counts instructions, a nanosecond each, and leaps to the next timer when there is nothing to do. What a
# scenario measures does not depend on the host then, however slow or busy it is, and waiting takes no time.
EMULATED_CLOCK=(-icount 'shift=0,sleep=off' -rtc clock=vm)
# Seconds of the host without a word from a machine, which says one each second of its own as long as a scenario may run, after which it
# counts as hung.
SILENCE_LIMIT=300
# How often a machine is given another try after a fault of the emulator: with two processors it sometimes lets one execute a breakpoint
# that the other has put into the kernel's code for a moment, to patch it. The kernel does that most while it boots, and
# dies of a breakpoint that is none of its own.
EMULATOR_FAULTS_LIMIT=3
EMULATOR_FAULT='int3: 0000 \[#'
# About so many runs share a boot.
RUNS_OF_A_BOOT=20
# What an emulated kernel is quicker with: no long waits for RCU, no defences that its processor does not need, no pages cleared twice.
QUICK_KERNEL=${QUICK_KERNEL-rcupdate.rcu_expedited=1 mitigations=off init_on_alloc=0}

# whole COMMAND...: runs it, and what it prints is not broken into by another machine's shell.
whole() {
  local status=0
  flock 6
  "$@" || status=$?
  flock -u 6
  return $status
}

# verdict WORD ID SECONDS: prints and counts it; a failure with what the scenario printed, in a line of FAILURES for the end, and with its
# line of the plan in FAILED_RUNS.
verdict() {
  local word=$1 name target reason seconds=$3 output=$OUT_DIR/$2/output
  read -r _ name target _ < <(grep "^$2 " "$PLAN")
  case ${word#dirty-} in
    ok)
      PASSED=$((PASSED + 1))
      printf 'ok   %s %s %s (%s s)\n' "$KERNEL" "$target" "$name" "$seconds"
      ;;
    skipped)
      PASSED=$((PASSED + 1))
      printf 'ok   %s %s %s (%s)\n' "$KERNEL" "$target" "$name" "$(grep '^skipped: ' "$output" | tail -1)"
      ;;
    *)
      FAILED=$((FAILED + 1))
      printf 'FAIL %s %s %s (%s s)\n' "$KERNEL" "$target" "$name" "$seconds"
      [[ ! -s $output ]] || tail -60 "$output" | sed 's/^/     | /'
      # What the scenario itself says goes before what was found of it afterwards.
      reason=$(grep -s '^FAILED: ' "$output" | head -1)
      echo "failed: $KERNEL $target $name: ${reason:-$(grep -sv '^daemon ended' "$output" | tail -1)}" >>"$FAILURES"
      grep "^$2 " "$PLAN" >>"$FAILED_RUNS"
      echo "     files: $OUT_DIR/$2"
      ;;
  esac
}

# take_files DIRECTORY ID: unpacks what came since the last time into the scenario's result folder.
take_files() {
  local size
  size=$(stat -c %s "$1/files")
  rm -rf "${OUT_DIR:?}/$2"
  mkdir -p "$OUT_DIR/$2"
  tail -c "+$((TAKEN + 1))" "$1/files" | tar -x --ignore-zeros --no-same-owner --touch -C "$OUT_DIR/$2" || true
  TAKEN=$size
}

# next_report: waits for the machine's next line in file 5 and splits it into WORD, ID and REST. Sets REASON when there is none: the
# machine ended, or said nothing for too long.
next_report() {
  local deadline=$((EPOCHSECONDS + SILENCE_LIMIT)) line alive=yes
  REASON=''
  while true; do
    # Asked before reading: what a machine says last must not be lost.
    kill -0 "$MACHINE" 2>/dev/null || alive=no
    if IFS= read -r -u 5 line; then
      read -r WORD ID REST <<<"$REPORT$line"
      REPORT=''
      [[ $WORD == alive ]] || return 0
      deadline=$((EPOCHSECONDS + SILENCE_LIMIT))
      continue
    fi
    # Perhaps the beginning of a line.
    REPORT+=$line
    [[ $alive == yes ]] || REASON='died'
    ((EPOCHSECONDS < deadline)) || REASON="hung: nothing heard for $SILENCE_LIMIT s"
    [[ -z $REASON ]] || return 0
    sleep 0.1
  done
}

# boot_once DIRECTORY LIMIT: runs the plan in DIRECTORY/plan; what must run in another boot stays in it, such as what needs another
# extra than its first line.
# Returns 1 when another boot makes no sense.
boot_once() {
  local directory=$1 limit=$2 current='' started=$SECONDS has_booted=no needs extra firmware=() clock=()
  # Under a clock of its own a machine's processors take turns, and a second one is only costs.
  local processors=${VM_CPUS:-2}
  needs=$(awk 'NR == 1 { print $NF }' "$directory/plan")
  awk -v needs="$needs" '$NF == needs' "$directory/plan" >"$directory/boot-plan"
  if [[ $needs != *~host && ${VM_ACCEL:-tcg} == tcg ]]; then
    clock=("${EMULATED_CLOCK[@]}") processors=${VM_CPUS:-1}
  fi
  needs=${needs%\~host}
  [[ $needs != *%* ]] || processors=${needs#*%}
  needs=${needs%\%*}
  extra=${needs%@*}
  make_initramfs "$KERNEL" "$directory" "$directory/boot-plan" "${extra#-}"
  if [[ $needs == *@* ]]; then
    "$VM_SOURCE/host/ibft" "$(scenario_file "${needs#*@}")" "$directory/ibft"
    firmware=(-acpitable "file=$directory/ibft")
  fi
  rm -f "$directory"/{control,files,console}
  touch "$directory"/{control,files,console}
  TAKEN=0 REPORT='' WORD=''
  exec 5<"$directory/control"
  VM_CPUS=$processors timeout -k 5 "$limit" "$VM_SOURCE/host/qemu" "$VM_DIR/kernel-$KERNEL" "$directory/initramfs" \
    -append "console=ttyS0 quiet loglevel=5 panic=-1 $QUICK_KERNEL trace_clock=local" \
    "${clock[@]}" "${firmware[@]}" -serial "file:$directory/console" -device virtio-serial-pci \
    -chardev "file,id=control,path=$directory/control" -device virtserialport,chardev=control,name=control \
    -chardev "file,id=files,path=$directory/files" -device virtserialport,chardev=files,name=files \
    >"$directory/qemu.log" 2>&1 &
  MACHINE=$!
  while [[ $WORD != end ]]; do
    next_report
    [[ -z $REASON ]] || break
    case $WORD in
      boot)
        note "$LABEL up after $((SECONDS - started)) s ($ID s by its own clock)"
        has_booted=yes
        ;;
      start) current=$ID ;;
      done)
        take_files "$directory" "$ID"
        if [[ ${REST% *} == dirty-again ]] && ((EMULATOR_FAULTS++ < EMULATOR_FAULTS_LIMIT)); then
          note "$LABEL: the emulator has failed during $ID; once more"
          current=''
          continue
        fi
        whole verdict "${REST% *}" "$ID" "${REST#* }"
        sed -i "/^$ID /d" "$directory/plan"
        current=''
        [[ $REST != dirty-* ]] || note "$ID left the machine dirty"
        ;;
    esac
  done
  [[ -z $REASON ]] || kill "$MACHINE" 2>/dev/null || true
  wait "$MACHINE" 2>/dev/null || true
  MACHINE=''
  [[ -n $REASON ]] || return 0
  if { [[ $has_booted == no ]] || grep -aq "$EMULATOR_FAULT" "$directory/console"; } \
    && ((SECONDS - started < limit && EMULATOR_FAULTS++ < EMULATOR_FAULTS_LIMIT)); then
    note "$LABEL: the machine $REASON${current:+ during $current}, which may be the emulator's fault; once more"
    return 0
  fi
  ((SECONDS - started < limit)) || REASON="ran out of time, $limit s"
  whole report_death "$directory" "$REASON" "$current" $((SECONDS - started))
}

# report_death DIRECTORY REASON ID SECONDS: the machine did not reach the end of its plan.
report_death() {
  local directory=$1 reason=$2 id=$3 seconds=$4 left
  if [[ -n $id ]]; then
    mkdir -p "$OUT_DIR/$id"
    cp "$directory/console" "$OUT_DIR/$id/console"
    echo "the machine $reason during $id" >"$OUT_DIR/$id/output"
    verdict failed "$id" "$seconds"
    sed -i "/^$id /d" "$directory/plan"
  else
    note "the machine $reason"
  fi
  echo '     last lines of the console:'
  tail -40 "$directory/console" | tr -d '\r' | sed 's/^/     | /'
  sed 's/^/     | qemu: /' "$directory/qemu.log"
  [[ -n $id && $reason != 'ran out of time'* ]] && return
  left=$(wc -l <"$directory/plan")
  FAILED=$((FAILED + left))
  sed "s/^\([^ ]*\) .*/FAIL $KERNEL \1 (not run)/" "$directory/plan" | tee -a "$FAILURES"
  return 1
}

# end_run: no machine and no file of a run outlives it, also when it is interrupted.
end_run() {
  [[ -z ${MACHINE:-} ]] || kill "$MACHINE" 2>/dev/null || true
  [[ -z ${RUN_DIRECTORY:-} ]] || rm -rf "$RUN_DIRECTORY"
  MACHINE='' RUN_DIRECTORY=''
}

# run_machine LABEL PLAN KEEP: all of the plan on KERNEL, in as many boots as it takes, until DEADLINE. Writes to PLAN.counts how many passed
# and failed.
run_machine() {
  LABEL=$1
  local keep=$3 started=$SECONDS
  PASSED=0 FAILED=0 EMULATOR_FAULTS=0
  OUT_DIR=$VM_DIR/out/$KERNEL
  mkdir -p "$OUT_DIR"
  RUN_DIRECTORY=$(mktemp -d "$VM_DIR/run-$KERNEL.XXXXXX")
  PLAN=$2 FAILURES=$2.failures FAILED_RUNS=$2.failed
  : >"$FAILURES"
  : >"$FAILED_RUNS"
  cp "$PLAN" "$RUN_DIRECTORY/plan"
  while [[ -s $RUN_DIRECTORY/plan ]]; do
    boot_once "$RUN_DIRECTORY" $((DEADLINE > SECONDS ? DEADLINE - SECONDS : 1)) || break
  done
  note "$LABEL: $PASSED passed, $FAILED failed in $((SECONDS - started)) s"
  echo "$PASSED $FAILED" >"$PLAN.counts"
  [[ $keep == no ]] || { note "kept $RUN_DIRECTORY"; RUN_DIRECTORY=''; }
  rm -rf "$RUN_DIRECTORY"
}

# run_plans KEEP: runs one plan of PLANS after the other, the longest first, with others that do so at the same time.
run_plans() {
  local plan
  trap end_run EXIT
  trap 'exit 130' INT TERM
  # A lock belongs to an opened file, so each shell opens its own.
  exec 6>"$VM_DIR/output.lock"
  while read -r -u 4 plan; do
    # Whoever can move it has it.
    mv "$PLANS/$plan.waiting" "$PLANS/$plan" 2>/dev/null || continue
    KERNEL=${plan%-*}
    run_machine "$KERNEL (${plan##*-})" "$PLANS/$plan" "$1"
  done 4<"$PLANS/order"
}

# most_machines: how many the host has processors and memory for.
most_machines() {
  local memory machines
  machines=$(nproc)
  memory=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024 / (${VM_MEMORY:-1536} + 512)))
  ((machines <= memory)) || machines=$memory
  echo $((machines > 0 ? machines : 1))
}

# end_followers: the shells of an interrupted run end their machines.
end_followers() {
  ((${#FOLLOWERS[@]} == 0)) || kill "${FOLLOWERS[@]}" 2>/dev/null || true
  wait
  rm -rf "$PLANS"
}

# run_kernels LIMIT KEEP AGAIN SCENARIO...: on all of KERNELS, in LIMIT seconds; adds up PASSED and FAILED, and says again what failed. Then
# what run_again does, for AGAIN runs at most.
run_kernels() {
  local keep=$2 again=$3 machines plan passed failed
  DEADLINE=$((SECONDS + $1))
  shift 3
  FOLLOWERS=()
  PLANS=$(mktemp -d "$VM_DIR/plans.XXXXXX")
  trap end_followers EXIT
  trap 'exit 130' INT TERM
  share_plans "$PLANS" $RUNS_OF_A_BOOT "$@"
  machines=$(most_machines)
  while ((machines-- > 0)); do
    run_plans "$keep" &
    FOLLOWERS+=($!)
  done
  wait "${FOLLOWERS[@]}" || true
  FOLLOWERS=() PASSED=0 FAILED=0 AGAIN=0
  while read -r plan; do
    plan=$PLANS/$plan
    # Whose shell ended without its counts has failed.
    passed=0 failed=$({ cat "$plan" "$plan.waiting" 2>/dev/null || true; } | wc -l)
    [[ ! -s $plan.counts ]] || read -r passed failed <"$plan.counts"
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    [[ ! -s $plan.failures ]] || cat "$plan.failures"
  done <"$PLANS/order"
  ((again == 0)) || run_again "$keep" "$again"
}

# run_again KEEP MOST: what failed gets one more run, with nothing beside it, if there are no more than MOST of them and there is time left.
# Counts in AGAIN what passed only so; what it was before is kept in ID.first.
run_again() {
  local keep=$1 most=$2 plan id passed failed
  (($(find "$PLANS" -name '*.failed' -exec cat {} + | wc -l) <= most && SECONDS < DEADLINE)) || return 0
  # shellcheck disable=SC2153 # an array of machine
  for KERNEL in "${KERNELS[@]}"; do
    plan=$PLANS/$KERNEL-again
    find "$PLANS" -name "$KERNEL-*.failed" -exec cat {} + >"$plan"
    [[ -s $plan ]] || continue
    while read -r id _; do
      rm -rf "$VM_DIR/out/$KERNEL/$id.first"
      mv "$VM_DIR/out/$KERNEL/$id" "$VM_DIR/out/$KERNEL/$id.first"
    done <"$plan"
    passed=0 failed=$(wc -l <"$plan")
    FAILED=$((FAILED - failed))
    (
      trap end_run EXIT
      trap 'exit 130' INT TERM
      exec 6>"$VM_DIR/output.lock"
      run_machine "$KERNEL (again)" "$plan" "$keep"
    ) || true
    [[ ! -s $plan.counts ]] || read -r passed failed <"$plan.counts"
    PASSED=$((PASSED + passed)) AGAIN=$((AGAIN + passed)) FAILED=$((FAILED + failed))
  done
}
