# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Boots the machine, follows what it reports and judges: a scenario that takes the machine down fails alone, the rest runs in a
# new boot.

# Seconds from power-on to the first scenario, and beyond a scenario's limit, after which the machine counts as hung.
BOOT_LIMIT=90
GRACE=40

# verdict WORD ID SECONDS: prints and counts it; a failure with what the scenario printed.
verdict() {
  local word=$1 name target seconds=$3 output=$OUT_DIR/$2/output
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

# next_report CONTROL SECONDS: waits for the next line in CONTROL and splits it into WORD, ID and REST. Sets REASON when there is
# none: the machine ended, or nothing came for so long.
next_report() {
  local control=$1 deadline=$((EPOCHSECONDS + $2)) lines alive=yes
  REASON=''
  while true; do
    # Asked before reading: what a machine says last must not be lost.
    kill -0 "$MACHINE" 2>/dev/null || alive=no
    mapfile -t -s "$REPORTS" -n 1 lines <"$control"
    ((${#lines[@]} == 0)) || break
    [[ $alive == yes ]] || REASON='died'
    ((EPOCHSECONDS < deadline)) || REASON="hung: nothing heard for $2 s"
    [[ -z $REASON ]] || return
    sleep 0.1
  done
  REPORTS=$((REPORTS + 1))
  read -r WORD ID REST <<<"${lines[0]}"
}

# boot_once DIRECTORY LIMIT: runs the plan in DIRECTORY/plan; what must run in another boot stays in it.
# Returns 1 when another boot makes no sense.
boot_once() {
  local directory=$1 limit=$2 current='' wait=$BOOT_LIMIT started=$SECONDS
  make_initramfs "$KERNEL" "$directory" "$directory/plan"
  rm -f "$directory"/{control,files,console}
  touch "$directory"/{control,files,console}
  TAKEN=0 REPORTS=0 WORD=''
  timeout -k 5 "$limit" "$VM_SOURCE/host/qemu" "$VM_DIR/kernel-$KERNEL" "$directory/initramfs" \
    -append "console=ttyS0 quiet loglevel=5 panic=-1 rcupdate.rcu_expedited=1 trace_clock=local" \
    -serial "file:$directory/console" -device virtio-serial-pci \
    -chardev "file,id=control,path=$directory/control" -device virtserialport,chardev=control,name=control \
    -chardev "file,id=files,path=$directory/files" -device virtserialport,chardev=files,name=files \
    >"$directory/qemu.log" 2>&1 &
  MACHINE=$!
  while [[ $WORD != end ]]; do
    next_report "$directory/control" "$wait"
    [[ -z $REASON ]] || break
    case $WORD in
      boot)
        note "$KERNEL up after $((SECONDS - started)) s ($ID s by its own clock)"
        wait=$GRACE
        ;;
      start)
        current=$ID
        wait=$((REST + GRACE))
        ;;
      done)
        take_files "$directory" "$ID"
        verdict "${REST% *}" "$ID" "${REST#* }"
        sed -i "/^$ID /d" "$directory/plan"
        current='' wait=$GRACE
        [[ $REST != dirty-* ]] || note "$ID left the machine dirty"
        ;;
    esac
  done
  [[ -z $REASON ]] || kill "$MACHINE" 2>/dev/null || true
  wait "$MACHINE" 2>/dev/null || true
  MACHINE=''
  [[ -n $REASON ]] || return 0
  ((SECONDS - started < limit)) || REASON="ran out of time, $limit s"
  report_death "$directory" "$REASON" "$current" $((SECONDS - started))
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
  sed "s/^\([^ ]*\) .*/FAIL $KERNEL \1 (not run)/" "$directory/plan"
  return 1
}

# end_run: no machine and no file of a run outlives it, also when it is interrupted.
end_run() {
  [[ -z ${MACHINE:-} ]] || kill "$MACHINE" 2>/dev/null || true
  [[ -z ${RUN_DIRECTORY:-} ]] || rm -rf "$RUN_DIRECTORY"
  MACHINE='' RUN_DIRECTORY=''
}
trap end_run EXIT
trap 'exit 130' INT TERM

# run_kernel KERNEL LIMIT KEEP SCENARIO...: all of it, in as many boots as it takes.
run_kernel() {
  KERNEL=$1
  local limit=$2 keep=$3 started=$SECONDS
  shift 3
  OUT_DIR=$VM_DIR/out/$KERNEL
  mkdir -p "$OUT_DIR"
  RUN_DIRECTORY=$(mktemp -d "$VM_DIR/run-$KERNEL.XXXXXX")
  PLAN=$RUN_DIRECTORY/all
  make_plan "$KERNEL" "$@" >"$PLAN"
  cp "$PLAN" "$RUN_DIRECTORY/plan"
  while [[ -s $RUN_DIRECTORY/plan ]]; do
    boot_once "$RUN_DIRECTORY" $((limit - (SECONDS - started) > 0 ? limit - (SECONDS - started) : 1)) || break
  done
  [[ $keep == no ]] || { note "kept $RUN_DIRECTORY"; RUN_DIRECTORY=''; }
  end_run
}
