# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What there is to know of many sessions with four disks each: the time that it takes, and the files that are opened for it, of ours and of
# open-iscsi's. SESSIONS says how many.
# reference: open-iscsi
# default: no
# clock: host
# limit: 600

# shellcheck source=Tests/VM/measure.sh
source /vm/measure.sh
SESSIONS=${SESSIONS:-128}
DISKS=4
trace=/sys/kernel/tracing
mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"

# opened PROGRAM ARGUMENT...: how many files and folders it opens itself.
opened() {
  echo >$trace/trace
  echo 1 >$trace/events/syscalls/sys_enter_openat/enable
  "$@" >/dev/null 2>&1 || true
  echo 0 >$trace/events/syscalls/sys_enter_openat/enable
  # The line begins with the name of the thread.
  grep -c "^ *$(basename "$1" | cut -c1-15)-" $trace/trace
}

target_add_many lio "$SESSIONS"
lio_share_disk "$SESSIONS" 8 "$DISKS"
daemon_start
iscsi-admin login --portal "$TARGET_ADDRESS" --all -q
mount -t tracefs none $trace
echo 16384 >$trace/buffer_size_kb

task='session -P 3'
measure theirs "$task" /opt/open-iscsi/iscsiadm -m session -P 3
measure ours "$task" "$WORK/ours/iscsiadm" -m session -P 3
expect_equal $((SESSIONS * DISKS)) "$(grep -c 'Attached scsi disk' "$OUT/stdout")"
measure ours 'session list' iscsi-admin session list --json
measure ours 'session show, all there is' iscsi-admin session show --json
expect_equal $((SESSIONS * DISKS)) "$(jq '[.sessions[].devices[]] | length' "$OUT/stdout")"

{
  echo "$SESSIONS sessions of $DISKS disks"
  heading
  for line in "$task" 'session list' 'session show, all there is'; do row "$line"; done
  echo
  echo 'Files and folders opened per session'
  printf '%-36s %9s %9s\n' "$task" \
    $(($(opened "$WORK/ours/iscsiadm" -m session -P 3) / SESSIONS)) $(($(opened /opt/open-iscsi/iscsiadm -m session -P 3) / SESSIONS))
  printf '%-36s %9s\n' 'session list' $(($(opened iscsi-admin session list --json) / SESSIONS))
  printf '%-36s %9s\n' 'session show, all there is' $(($(opened iscsi-admin session show --json) / SESSIONS))
} | tee "$OUT/table"
umount $trace
iscsi-admin logout --all -q
daemon_stop
