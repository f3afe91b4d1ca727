# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# iscsiadm on many records and many sessions: ours and open-iscsi's. COUNTS and SESSIONS say how many.
# reference: open-iscsi
# default: no
# clock: host
# limit: 1500

# shellcheck source=Tests/VM/measure.sh
source /vm/measure.sh
COUNTS=${COUNTS:-1000 10000} SESSIONS=${SESSIONS:-16 64 128} TARGETS=1000 NUMBER=100
nodes=/etc/iscsi/nodes
mkdir -p "$WORK/ours"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"
declare -A PROGRAM=([theirs]=/opt/open-iscsi/iscsiadm [ours]=$WORK/ours/iscsiadm)
TASKS=()

# both TASK ARGUMENT...: the same command line for both, in turn, five times; the median counts. The emulator translates a program's code when it is
# run for the first time and keeps that, so one run alone would measure the size of the programs. NUMBER in an argument is another one in each run.
both() {
  local who task=$1
  shift
  TASKS+=("$task")
  for _ in 1 2 3 4 5; do
    for who in theirs ours; do
      measure $who "$task" "${PROGRAM[$who]}" "${@//NUMBER/$((NUMBER += 1))}"
    done
  done
}

# make_records COUNT: as open-iscsi writes them, from one that it has made, for root alone, but without links; no process a record.
make_records() {
  local mask
  mask=$(umask)
  umask 077
  rm -rf /etc/iscsi/{nodes,static,send_targets}
  "${PROGRAM[theirs]}" -m node -T "$IQN-0" -p 10.0.0.1:3260,1 -o new >/dev/null 2>&1
  seq $(($1 - 1)) | sed "s|.*|$nodes/$IQN-&/10.0.0.1,3260,1|" | xargs mkdir -p
  awk -v count="$1" -v place="$nodes/$IQN" -v name="node.name = $IQN" '
    /^node.name = / { $0 = "" }
    { text = text ($0 == "" ? "\001" : $0) "\n" }
    END {
      for (number = 1; number < count; number++) {
        record = text
        sub("\001", name "-" number, record)
        file = place "-" number "/10.0.0.1,3260,1/default"
        printf "%s", record >file
        close(file)
      }
    }' "$nodes/$IQN-0/10.0.0.1,3260,1/default"
  umask "$mask"
}

start_iscsid
for count in $COUNTS; do
  make_records "$count"
  one=(-m node -T "$IQN-$((count / 2))" -p 10.0.0.1)
  both "list $count nodes" -m node
  expect_equal "$count" "$(grep -c "$IQN-" "$OUT/stdout")"
  both "show one of $count" "${one[@]}"
  expect_equal 1 "$(grep -c 'BEGIN RECORD' "$OUT/stdout")"
  both "update one of $count" "${one[@]}" -o update -n node.session.queue_depth -v NUMBER
  expect_equal 1 "$(grep -l "^node.session.queue_depth = $NUMBER\$" $nodes/*/*/default | wc -l)"
  both "show all $count" -m node -o show
  both "update all $count" -m node -o update -n node.session.queue_depth -v NUMBER
  expect_equal "$count" "$(grep -l "^node.session.queue_depth = $NUMBER\$" $nodes/*/*/default | wc -l)"
  for _ in 1 2 3; do
    for WHO in theirs ours; do
      make_records "$count"
      measure $WHO "delete all $count" "${PROGRAM[$WHO]}" -m node -o delete
      expect_equal 0 "$(find $nodes -type f | wc -l)"
    done
  done
  TASKS+=("delete all $count")
done
stop_iscsid

task="discover and record $TARGETS targets"
target_add_many lio $TARGETS
for _ in 1 2 3 4 5; do
  for WHO in theirs ours; do
    rm -rf /etc/iscsi/{nodes,static,send_targets}
    [[ $WHO == ours ]] || start_iscsid
    measure $WHO "$task" "${PROGRAM[$WHO]}" -m discovery -t sendtargets -p "$TARGET_ADDRESS"
    expect_equal $TARGETS "$(find $nodes -type f | wc -l)"
    [[ $WHO == ours ]] || stop_iscsid
  done
done
TASKS+=("$task")
lio_stop

# measure_trees WHO: seven times the trees of all sessions, which its own daemon has made and is asked about. Before that, once for the emulator.
measure_trees() {
  wait_until 60 all_disks_are_there "$count"
  "${PROGRAM[$1]}" -m session -P 3 >/dev/null
  for _ in 1 2 3 4 5 6 7; do
    measure "$1" "$task" "${PROGRAM[$1]}" -m session -P 3
    expect_equal "$count" "$(grep -c '^\s*iSCSI Connection State: LOGGED IN$' "$OUT/stdout")"
    expect_equal "$count" "$(grep -c 'Attached scsi disk' "$OUT/stdout")"
  done
}
all_disks_are_there() { (($(find /sys/block -name 'sd*' | wc -l) == $1)); }
no_disk_is_there() { all_disks_are_there 0; }

for count in $SESSIONS; do
  task="session -P 3 with $count sessions"
  TASKS+=("$task")
  rm -rf "$TARGET_FILES"
  target_add_many lio "$count"
  lio_share_disk "$count" 8

  start_iscsid
  rm -rf /etc/iscsi/{nodes,static,send_targets}
  "${PROGRAM[theirs]}" -m discovery -t sendtargets -p "$TARGET_ADDRESS" >/dev/null
  "${PROGRAM[theirs]}" -m node -l >/dev/null
  measure_trees theirs
  "${PROGRAM[theirs]}" -m node -u >/dev/null
  wait_until 60 no_disk_is_there
  stop_iscsid

  daemon_start
  iscsi-admin login --portal "$TARGET_ADDRESS" --all -q
  measure_trees ours
  iscsi-admin logout --all -q
  daemon_stop
  lio_stop
done

{
  heading
  for task in "${TASKS[@]}"; do row "$task"; done
} | tee "$OUT/table"
