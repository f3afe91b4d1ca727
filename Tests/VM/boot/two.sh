# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Two machines and their wires: frames go through sockets of Unix in RUN_DIRECTORY, so that neither root nor a bridge is needed, and
# both machines may start anew. Each has an agent, which the host asks through a pair of pipes.

declare -A PROCESS=() TO=() FROM=()

# machine_runs MACHINE
machine_runs() { [[ -n ${PROCESS[$1]:-} ]] && kill -0 "${PROCESS[$1]}" 2>/dev/null; }

# machine_start MACHINE KERNEL_DIRECTORY INITRAMFS ARG...: qemu with two cards, on the wires' ends of this machine.
machine_start() {
  local machine=$1 kernel=$2 initramfs=$3 other=server place=1 wire arguments=()
  shift 3
  [[ $machine == diskless ]] || other=diskless place=0
  for wire in 0 1; do
    rm -f "$RUN_DIRECTORY/wire$wire-$machine"
    arguments+=(-netdev "dgram,id=wire$wire,local.type=unix,local.path=wire$wire-$machine,remote.type=unix,remote.path=wire$wire-$other"
      -device "virtio-net-pci,netdev=wire$wire,mac=52:54:00:12:3$place:5$wire,addr=0$((2 + wire)).0,$(card_options "$machine" $wire)")
  done
  rm -f "$RUN_DIRECTORY/$machine".{in,out}
  mkfifo "$RUN_DIRECTORY/$machine".{in,out}
  : >"$RUN_DIRECTORY/$machine-console"
  (
    cd "$RUN_DIRECTORY" || exit
    exec "$VM_SOURCE/host/qemu" "$kernel" "$initramfs" -serial "file:$machine-console" "${arguments[@]}" \
      -device virtio-serial-pci -chardev "pipe,id=agent,path=$machine" -device virtserialport,chardev=agent,name=agent "$@"
  ) >"$RUN_DIRECTORY/$machine-qemu.log" 2>&1 </dev/null &
  PROCESS[$machine]=$!
  echo "${PROCESS[$machine]}" >"$RUN_DIRECTORY/$machine.pid"
  local to from
  # Both ways, so that opening waits for nobody.
  exec {to}<>"$RUN_DIRECTORY/$machine.in" {from}<>"$RUN_DIRECTORY/$machine.out"
  TO[$machine]=$to FROM[$machine]=$from
}

# card_options MACHINE WIRE: no card has a ROM, but the first of a diskless machine that starts from it. qemu's own choice of a file, which it
# finds by -L, is the only one to which it gives the numbers of the card.
card_options() {
  if [[ $1 == diskless && $2 == 0 && ${STARTS_BY_NETWORK:-no} == yes ]]; then echo bootindex=1; else echo romfile=; fi
}

# machine_end MACHINE: at once. A scenario's machine is known by its file alone, as the scenario has run in a shell of its own.
machine_end() {
  local process
  [[ -n ${RUN_DIRECTORY:-} && -e $RUN_DIRECTORY/$1.pid ]] || return 0
  process=$(<"$RUN_DIRECTORY/$1.pid")
  kill -9 "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  rm -f "$RUN_DIRECTORY/$1.pid"
  unset "PROCESS[$1]"
}

# ask MACHINE SECONDS COMMAND: has it done there; sets OUTPUT and STATUS. Fails with a REASON if no answer comes.
# shellcheck disable=SC2034 # for the caller
ask() {
  local machine=$1 deadline=$((EPOCHSECONDS + $2 * PATIENCE)) part answer=''
  REASON='' OUTPUT='' STATUS=''
  printf '%s\n' "$(printf %s "$3" | base64 -w 0)" >&"${TO[$machine]}"
  while ! IFS= read -r -t 0.5 part <&"${FROM[$machine]}"; do
    answer+=$part
    machine_runs "$machine" || REASON="the machine $machine has ended"
    ((EPOCHSECONDS < deadline)) || REASON="no answer after $(($2 * PATIENCE)) s"
    [[ -z $REASON ]] || return 1
  done
  answer+=$part
  STATUS=${answer##* }
  answer=${answer% *}
  OUTPUT=$(base64 -d <<<"${answer#.}")
}

# server_start: it stays for all scenarios of a run. The root file system is a disk of its own to make copies of, and what it is to give out
# by HTTP and TFTP another; so is the root file system of a real system, where one has been made.
server_start() {
  local directory=$RUN_DIRECTORY/server started=$SECONDS disk disks=()
  for disk in root.img served.tar system.img; do
    [[ ! -e $RUN_DIRECTORY/$disk ]] || disks+=(-drive "file=$disk,if=virtio,format=raw,readonly=on")
  done
  mkdir -p "$directory"
  : >"$directory/plan"
  # shellcheck disable=SC2153 # set by machines
  make_initramfs "$KERNEL" "$directory" "$directory/plan" boot
  VM_CPUS=1 machine_start server "$VM_DIR/kernel-$KERNEL" server/initramfs \
    -append "console=ttyS0 quiet loglevel=5 panic=-1 net.ifnames=0 vm.server $QUICK_KERNEL" \
    "${disks[@]}"
  ask server 90 true || { tail -20 "$RUN_DIRECTORY/server-console" "$RUN_DIRECTORY/server-qemu.log" >&2; die "the server did not start: $REASON"; }
  note "the server is up after $((SECONDS - started)) s"
}
