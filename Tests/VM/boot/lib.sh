# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What a boot scenario may use besides ../lib.sh. It runs on the host; RUN_DIRECTORY, OUT and KERNEL are set.

# --- the machines

# server COMMAND, diskless COMMAND: a command line, done there. Its output, and its status. The server knows ../targets.sh, ../faults.sh
# and server.sh; the diskless machine does it from memory, beside its root file system.
server() { on server "$@"; }
diskless() { on diskless "$@"; }
on() {
  # Said where it is seen, also when somebody polls.
  ask "$1" "${LIMIT:-60}" "${*:2}" || { fail "$1: $REASON: ${*:2}" >>"$OUT/output"; }
  [[ -z $OUTPUT ]] || echo "$OUTPUT"
  return "$STATUS"
}

# in_root COMMAND: in the root file system of the diskless machine.
in_root() { diskless "chroot /proc/1/root /bin/sh -c $(printf %q "PATH=/usr/sbin:/usr/bin:/sbin:/bin; $*")"; }

# initramfs: standard input is what the small initramfs does, which ends with a login.
initramfs() {
  cat >"$RUN_DIRECTORY/scenario"
  cp "$RUN_DIRECTORY/initramfs" "$RUN_DIRECTORY/diskless-initramfs"
  : >"$RUN_DIRECTORY/addition.cpio"
  add_file "$RUN_DIRECTORY/addition.cpio" "$RUN_DIRECTORY/scenario" scenario
  cat "$RUN_DIRECTORY/addition.cpio" >>"$RUN_DIRECTORY/diskless-initramfs"
}

# image_of KIND: the image is made by that generator, with our hooks, instead.
image_of() {
  build_image "$1" "$RUN_DIRECTORY/diskless-initramfs"
  echo "the image of $1 has $(stat -c %s "$RUN_DIRECTORY/diskless-initramfs") octets"
}

# image_has_module NAME: of an image with a list.
image_has_module() { grep -E "/$1\.ko" "$OUT/image-files"; }

# console_has REGEX: the diskless machine has printed it.
console_has() { grep -aE -- "$1" "$RUN_DIRECTORY/diskless-console"; }

# diskless_start [PARAMETER...]: starts it, with these parameters of the kernel besides, and returns when the system on the disk is up.
diskless_start() {
  diskless_begin "$@"
  diskless_is_up
}
# The same in two steps.
diskless_begin() {
  local memory table=()
  STARTED=$EPOCHREALTIME
  memory=$(header "$SCENARIO" memory)
  if grep -q '^# ibft: ' "$(scenario_file "$SCENARIO")"; then
    "$VM_SOURCE/host/ibft" "$(scenario_file "$SCENARIO")" "$RUN_DIRECTORY/ibft"
    table=(-acpitable file=ibft)
  fi
  VM_CPUS=1 VM_MEMORY=${memory:-512} machine_start diskless "$VM_DIR/kernel-$KERNEL" diskless-initramfs "${table[@]}" \
    -append "$(kernel_parameters) $*"
}

# boots_by_ipxe bios|uefi COMMANDS: that firmware's iPXE hooks the disk and starts kernel and initramfs, which goes on by these commands with the
# table that iPXE has left.
boots_by_ipxe() {
  initramfs <<<"$2"
  server serve_root tgt
  diskless_start_by_network "$1" "#!ipxe
set initiator-iqn iqn.2026-11.org.example:ipxe
sanhook --drive 0x80 iscsi:10.0.0.1:::1:$IQN
kernel http://10.0.0.1/vmlinuz $(kernel_parameters) initrd=initramfs
initrd http://10.0.0.1/initramfs
boot"
  expect_adopted
  expect_equal iqn.2026-11.org.example:ipxe "$(diskless cat /sys/class/iscsi_session/session*/initiatorname)"
}

# diskless_start_by_network bios|uefi SCRIPT: the firmware's iPXE asks for an address and gets this script.
diskless_start_by_network() {
  local firmware=(-machine graphics=off)
  [[ $1 == bios ]] || firmware=(-bios "$VM_DIR/firmware/usr/share/ovmf/OVMF.fd")
  server "base64 -d >/tmp/addition.cpio <<<$(base64 -w 0 "$RUN_DIRECTORY/addition.cpio")"
  server serve_files "$(printf %q "$2")"
  server serve_dhcp --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-host=52:54:00:12:31:50,10.0.0.2 \
    --enable-tftp --tftp-root=/tmp/served --dhcp-boot=boot.ipxe
  STARTED=$EPOCHREALTIME
  STARTS_BY_NETWORK=yes VM_CPUS=1 VM_MEMORY=512 machine_start diskless '' '' -L "$VM_DIR/firmware/usr/lib/ipxe/qemu" "${firmware[@]}"
  diskless_is_up
}
kernel_parameters() { echo "console=ttyS0 quiet loglevel=5 panic=-1 net.ifnames=${IFNAMES:-0} vm.root=${ROOT_TARGET:-$IQN} $QUICK_KERNEL"; }

# diskless_is_up: soon the system on the disk is, and the daemon there takes calls.
diskless_is_up() {
  ask diskless 120 true || fail "the system did not start: $REASON"
  echo "the system is up after $(((${EPOCHREALTIME/./} - ${STARTED/./}) / 1000)) ms"
  wait_until 15 daemon_answers
}
daemon_answers() { in_root iscsi-admin session list; }

# diskless_ends [poweroff|reboot]: an orderly end, with the file system written and the session still there, in so many seconds at most.
diskless_ends() {
  # busybox's signals, and systemd's.
  local signals='USR2 38' started=$EPOCHREALTIME
  [[ ${1:-poweroff} == poweroff ]] || signals='TERM 39'
  # A moment later, so that this is answered.
  diskless "grep -qx systemd /proc/1/comm && signal=${signals#* } || signal=${signals% *}
    setsid sh -c \"sleep 0.3; kill -\$signal 1\" </dev/null >/dev/null 2>&1 &"
  wait_until 30 diskless_is_off
  echo "ended in $(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) ms"
  grep -a '^stop: ' "$RUN_DIRECTORY/diskless-console" | tr -d '\r'
  grep -aq '^stop: the root file system is ro' "$RUN_DIRECTORY/diskless-console" || fail 'the root file system was not made read-only'
  grep -aq '^stop: session[0-9]* is LOGGED_IN' "$RUN_DIRECTORY/diskless-console" || fail 'the session did not last until the end'
}
diskless_is_off() { ! machine_runs diskless; }

# --- what a boot must have come to

# expect_kept: the only session of the boot is there, and there was no other login. SESSION is its number.
expect_kept() {
  local before after
  SESSION=$(diskless 'cd /sys/class/iscsi_session && echo *')
  expect_match '^session[0-9]+$' "$SESSION"
  SESSION=${SESSION#session}
  before=$(diskless cat /run/connections-of-the-boot)
  after=$(diskless "netstat -tn | awk '\$5 ~ /:3260\$/ && \$6 == \"ESTABLISHED\" { print \$4, \$5 }' | sort")
  expect_equal "$before" "$after"
  in_root iscsi-admin session list
}
# expect_adopted: that, and the daemon has taken it up as one that nobody's daemon has made.
expect_adopted() {
  expect_kept
  # It takes calls before it has looked at all there is.
  wait_until 10 session_is_of_the_boot
}
session_is_of_the_boot() { in_root "iscsi-admin session show $SESSION" | grep -E '^ *Asked for by +user 0, boot, '; }

# expect_diskless_profile: nobody pings the target, and the disk is waited for a day.
expect_diskless_profile() {
  expect_equal '86400 0 0 90' "$(diskless "cat /sys/class/iscsi_session/session$SESSION/recovery_tmo /sys/class/iscsi_connection/connection$SESSION:0/*_tmo \
    /sys/block/sda/device/timeout" | paste -sd ' ')"
}

# expect_data: what the image had in it is read from the disk.
expect_data() {
  diskless 'echo 3 >/proc/sys/vm/drop_caches'
  in_root 'cd / && sha256sum -c root/data.sum' || fail 'the disk gives back something else'
}

# write_data: a file that is to last, and expect_written KIND [NAME]: it is in the target's file, whose file system is as it should be.
write_data() {
  in_root 'dd if=/dev/urandom of=/root/written bs=64k count=32 conv=fsync 2>/dev/null'
  WRITTEN=$(in_root 'sha256sum </root/written')
}
expect_written() {
  server "check_root $*" || fail 'the file system was left in disorder'
  server "mkdir -p /tmp/mounted && mount -o ro,loop \$(root_file $*) /tmp/mounted"
  expect_equal "$WRITTEN" "$(server 'sha256sum </tmp/mounted/root/written')"
  server 'umount /tmp/mounted'
}

# ends_whole KIND [NAME]: all of that: what the disk had is read, something is written, and it is there after an orderly end.
ends_whole() {
  expect_data
  write_data
  diskless_ends
  expect_written "$@"
}

# session_is STATE: for wait_until.
session_is() { [[ $(diskless "cat /sys/class/iscsi_session/session$SESSION/state") == "$1" ]]; }

# writers_start: two programs of the root file system write line after line, each brought to the disk before the next. writers_stop ends
# them; then all lines must be there, in order, and nobody may have seen an error.
writers_start() { in_root "for name in first second; do setsid sh /etc/writer \$name </dev/null >/dev/null 2>&1 & done"; }
writers_written() { diskless 'cat /run/writer-first /run/writer-second 2>/dev/null' | paste -sd ' '; }
# writers_go_on BEFORE: both have written more than that; for wait_until.
writers_go_on() {
  local before after
  read -ra before <<<"$1"
  read -ra after <<<"$(writers_written)"
  ((${after[0]:-0} > before[0] && ${after[1]:-0} > before[1]))
}
writers_stop() {
  diskless 'touch /run/writers-stop'
  wait_until 30 diskless '! ps | grep -q "[/]etc/writer"'
  diskless '[ ! -e /run/writer-errors ] || { cat /run/writer-errors; false; }' || fail 'a writer has seen errors'
  echo "lines written: $(writers_written)"
  in_root "for name in first second; do seq \"\$(cat /run/writer-\$name)\" | cmp - /root/lines-\$name || exit; done" || fail 'lines are missing'
}
expect_no_file_system_error() {
  ! diskless dmesg | grep -E 'EXT4-fs error|Remounting filesystem|I/O error|Aborting journal' || fail 'the file system saw an error'
}

# cut_with_writers SECONDS TIMER [ARGUMENT...]: boots with these arguments of iscsistart besides, and for so long nothing comes through while
# the writers write; their disk waits TIMER seconds for an answer. What asks for the reason runs from memory meanwhile. BEFORE is how
# far they were.
# shellcheck disable=SC2034 # for the caller
cut_with_writers() {
  local seconds=$1 timer=$2 ends state
  shift 2
  initramfs <<SCRIPT
ip address add 10.0.0.2/24 dev eth0
ip link set eth0 up
iscsistart -i iqn.2026-11.org.example:boot -t $IQN -g 1 -a 10.0.0.1 $*
SCRIPT
  server serve_root tgt
  diskless_start
  expect_adopted
  diskless "echo $timer >/sys/class/block/sda/device/timeout"
  writers_start
  wait_until 30 writers_go_on '5 5'
  wait_until 10 diskless '[ -x /run/iscsi-admin/program/iscsi-admin ]'
  diskless 'cmp /run/iscsi-admin/program/iscsi-admin /proc/1/root/usr/sbin/iscsi-admin'
  server cut
  ends=$((EPOCHSECONDS + seconds))
  # What is not in memory by itself is on the disk that is not there.
  diskless "setsid sh -c 'echo 3 >/proc/sys/vm/drop_caches' </dev/null >/dev/null 2>&1 &"
  sleep 3
  BEFORE=$(writers_written)
  while ((EPOCHSECONDS < ends)); do
    sleep $((seconds > 60 ? 10 : 5))
    echo "--- $((seconds - ends + EPOCHSECONDS)) s after the cut: $(diskless "cat /sys/class/iscsi_session/session$SESSION/state"), lines written: $(writers_written)"
    LIMIT=20 from_memory iscsi-admin recovery || true
  done
  LIMIT=20 from_memory iscsiadm -m session -P 3 >"$OUT/session-P-3"
  # Where it is in what the kernel shows, and in what the daemon does about it.
  # FREE is what is lost for longer than I/O waits.
  state=$(diskless "cat /sys/class/iscsi_session/session$SESSION/state")
  [[ $state == @(FAILED|FREE) ]] || fail "the session is $state"
  grep -E "^[[:space:]]*iSCSI Session State: $state\$" "$OUT/session-P-3" || fail 'open-iscsi is not told that the session is lost'
  grep -E '^[[:space:]]*Internal iscsid Session State: REOPEN$' "$OUT/session-P-3" || fail 'open-iscsi is not told that somebody recovers it'
  ! grep -E '^[[:space:]]*iSCSI Connection State: LOGGED IN$' "$OUT/session-P-3" || fail 'the connection is there'
  grep -E '^[[:space:]]*(Recovery Timeout|Host Number|Attached scsi disk)' "$OUT/session-P-3"
  LIMIT=20 from_memory iscsi-admin recovery >"$OUT/recovery" || true
  grep -F "$IQN" "$OUT/recovery" || fail 'nobody tells that the session is lost'
  server restore
}
# cut_ends_whole KIND: the writers go on where they were, nobody has seen an error, and all is there after an orderly end.
cut_ends_whole() {
  wait_until 60 writers_go_on "$BEFORE"
  wait_until 10 session_is LOGGED_IN
  writers_stop
  expect_no_file_system_error
  write_data
  diskless_ends
  expect_written "$@"
}
# from_memory NAME ARGUMENT...: the copy of our program under /run, under a name.
from_memory() { diskless "ln -sf /run/iscsi-admin/program/iscsi-admin /bin/$1 && $*"; }
