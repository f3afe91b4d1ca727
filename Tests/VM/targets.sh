# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Targets for scenarios: tgt (in user space) and LIO (in the kernel), both in the namespace "target" with the same calls.

TARGET_FILES=/tmp/target

# target_start KIND [OPTION...]: starts a target and returns when it answers.
#   --name IQN          default $IQN
#   --lun MIB           a disk of that size; repeatable, default one of 16 MiB. tgt numbers them from 1, LIO from 0.
#   --portal ADDRESS:PORT   repeatable ([v6]:port), default the first path, port 3260
#   --user U --secret S         the initiator must authenticate (CHAP)
#   --mutual-user U --mutual-secret S   the target authenticates, too
# Calling it again with another name adds a target to the same portals.
target_start() {
  local kind=$1 name=$IQN luns=() portals=() user='' secret='' mutual_user='' mutual_secret=''
  shift
  local options=("$@")
  while (($#)); do
    case $1 in
      --name) name=$2 ;;
      --lun) luns+=("$2") ;;
      --portal) portals+=("$2") ;;
      --user) user=$2 ;;
      --secret) secret=$2 ;;
      --mutual-user) mutual_user=$2 ;;
      --mutual-secret) mutual_secret=$2 ;;
      *) fail "target_start: unknown option $1" ;;
    esac
    shift 2
  done
  ((${#luns[@]})) || luns=(16)
  ((${#portals[@]})) || portals=("$TARGET_ADDRESS:3260")
  network_up
  mkdir -p "$TARGET_FILES"
  "${kind}_start"
}

# first_lun KIND: the number of the first disk.
first_lun() {
  [[ $1 == tgt ]] && echo 1 || echo 0
}

# target_stop: stops and removes all targets of both kinds.
target_stop() {
  tgt_stop
  lio_stop
  rm -rf "$TARGET_FILES"
}

# target_resize KIND NAME LUN MIB: the disk gets that size on the target's side; initiators see it after a rescan.
target_resize() {
  "$1_resize" "$2" "$3" "$4"
}

# target_add_lun KIND NAME LUN MIB: a target that runs has one more disk, until it is killed.
target_add_lun() {
  "$1_add_lun" "$2" "$3" "$4"
}

# target_add_many KIND COUNT [PORTAL...]: COUNT targets $IQN-1, ... without disks, each at every portal.
target_add_many() {
  local kind=$1 count=$2
  shift 2
  network_up
  mkdir -p "$TARGET_FILES"
  (($#)) || set -- "$TARGET_ADDRESS:3260"
  "${kind}_add_many" "$count" "$@"
}

# backing_file NAME LUN: the file behind a disk.
backing_file() {
  echo "$TARGET_FILES/${1//[^a-z0-9]/-}-$2"
}

# file_size FILE MIB: makes or resizes a backing file.
file_size() {
  truncate -s "$2M" "$1"
}

# target_session_count KIND NAME: how many sessions a target has.
target_session_count() {
  if [[ $1 == lio ]]; then
    cat "$LIO/iscsi/$2/fabric_statistics/iscsi_instance/sessions"
  else
    tgtadm_iscsi --op show --mode target \
      | awk -v name="$2" '/^Target / { is_meant = $3 == name } is_meant && /I_T nexus:/ { count++ } END { print count + 0 }'
  fi
}

# --- tgt: the Linux target in user space

tgtadm_iscsi() {
  tgtadm --lld iscsi "$@"
}

# tgt_daemon: starts tgtd in the target namespace unless it runs, where no initiator gets to.
tgt_daemon() {
  [[ -e /run/tgtd/socket.0 ]] && return
  mkdir -p /run/tgtd
  # shellcheck disable=SC2024
  in_target setsid tgtd --foreground --iscsi portal=127.0.0.1:3260 >"$OUT/tgtd.log" 2>&1 &
  echo $! >/run/tgtd.pid
  wait_until 10 tgtadm_iscsi --op show --mode sys
}

# tgt_listen PORTAL...: opens the portals, once, when the targets are complete: who comes sooner is told that there is no such target.
tgt_listen() {
  [[ -e /run/tgtd.listens ]] && return
  touch /run/tgtd.listens
  local portal
  for portal in "$@"; do tgtadm_iscsi --op new --mode portal --param "portal=$portal"; done
}

# tgt_next_id: a free target id.
tgt_next_id() {
  tgtadm_iscsi --op show --mode target | awk '/^Target /{ id = $2 + 0 } END { print id + 1 }'
}

# tgt_id NAME: the id of a target.
tgt_id() {
  tgtadm_iscsi --op show --mode target | awk -v name="$1" '/^Target / && $3 == name { print $2 + 0 }'
}

# Reads target_start's variables, and keeps what tgt_restart needs, which opens the portals itself and says so by TGT_RESTARTS.
tgt_start() {
  local id number=0 mib
  mkdir -p "$TARGET_FILES/tgt-starts"
  touch "$TARGET_FILES/tgt-starts/$name"
  ((${#options[@]} == 0)) || printf '%s\n' "${options[@]}" >"$TARGET_FILES/tgt-starts/$name"
  tgt_daemon
  id=$(tgt_next_id)
  tgtadm_iscsi --op new --mode target --tid "$id" --targetname "$name"
  for mib in "${luns[@]}"; do
    number=$((number + 1))
    [[ ! -e $TARGET_FILES/gone/$(basename "$(backing_file "$name" $number)") ]] || continue
    tgt_add_lun "$name" $number "$mib"
  done
  tgtadm_iscsi --op bind --mode target --tid "$id" --initiator-address ALL
  if [[ -n $user ]]; then
    tgtadm_iscsi --op new --mode account --user "$user" --password "$secret" || true
    tgtadm_iscsi --op bind --mode account --tid "$id" --user "$user"
  fi
  if [[ -n $mutual_user ]]; then
    tgtadm_iscsi --op new --mode account --user "$mutual_user" --password "$mutual_secret" || true
    tgtadm_iscsi --op bind --mode account --tid "$id" --user "$mutual_user" --outgoing
  fi
  [[ -z ${TGT_RESTARTS:-} ]] || return 0
  printf '%s\n' "${portals[@]}" >"$TARGET_FILES/tgt-portals"
  tgt_listen "${portals[@]}"
}

tgt_add_lun() {
  local file
  file=$(backing_file "$1" "$2")
  file_size "$file" "$3"
  tgtadm_iscsi --op new --mode logicalunit --tid "$(tgt_id "$1")" --lun "$2" --backing-store "$file"
}

# tgtd reads the size when it opens the file, so the disk is made anew under the same number (its identity stays).
tgt_resize() {
  tgtadm_iscsi --op delete --mode logicalunit --tid "$(tgt_id "$1")" --lun "$2"
  tgt_add_lun "$@"
}

tgt_add_many() {
  local count=$1 number
  shift
  tgt_daemon
  for ((number = 1; number <= count; number++)); do
    tgtadm_iscsi --op new --mode target --tid "$number" --targetname "$IQN-$number"
    tgtadm_iscsi --op bind --mode target --tid "$number" --initiator-address ALL
  done
  tgt_listen "$@"
}

# A killed tgtd leaves nothing behind: its state is in the process.
tgt_stop() {
  [[ -e /run/tgtd.pid ]] || return 0
  killall -9 tgtd 2>/dev/null || true
  while pidof tgtd >/dev/null; do sleep 0.02; done
  rm -rf /run/tgtd /run/tgtd.* /var/run/tgtd.*
}

# --- LIO: the target in the kernel, driven through configfs

LIO=/sys/kernel/config/target

lio_load() {
  modprobe -a target_core_mod target_core_file iscsi_target_mod
  [[ -d $LIO ]] || fail 'the kernel has no LIO'
  mkdir -p $LIO/iscsi
}

# Reads target_start's variables.
lio_start() {
  local group=$LIO/iscsi/$name/tpgt_1 number=0 mib portal
  lio_load
  mkdir -p "$group"
  for mib in "${luns[@]}"; do
    lio_add_lun "$name" $number "$mib"
    number=$((number + 1))
  done
  lio_open "$group"
  if [[ -n $user ]]; then
    echo 1 >"$group/attrib/authentication"
    echo -n CHAP >"$group/param/AuthMethod"
    printf %s "$user" >"$group/auth/userid"
    printf %s "$secret" >"$group/auth/password"
  fi
  if [[ -n $mutual_user ]]; then
    printf %s "$mutual_user" >"$group/auth/userid_mutual"
    printf %s "$mutual_secret" >"$group/auth/password_mutual"
  fi
  # The listening socket belongs to the network namespace of whoever makes the directory.
  for portal in "${portals[@]}"; do in_target mkdir -p "$group/np/$portal"; done
  echo 1 >"$group/enable"
}

# lio_open GROUP: any initiator may log in and write.
lio_open() {
  echo 0 >"$1/attrib/authentication"
  echo 1 >"$1/attrib/generate_node_acls"
  echo 0 >"$1/attrib/demo_mode_write_protect"
}

lio_add_lun() {
  local file store lun=$LIO/iscsi/$1/tpgt_1/lun/lun_$2
  file=$(backing_file "$1" "$2") store=$LIO/core/fileio_1/$(basename "$(backing_file "$1" "$2")")
  file_size "$file" "$3"
  mkdir -p "$store" "$lun"
  printf 'fd_dev_name=%s,fd_dev_size=%s' "$file" $(($3 << 20)) >"$store/control"
  echo 1 >"$store/enable"
  ln -s "$store" "$lun/store"
}

lio_resize() {
  local file
  file=$(backing_file "$1" "$2")
  file_size "$file" "$3"
  printf 'fd_dev_size=%s' $(($3 << 20)) >"$LIO/core/fileio_1/$(basename "$file")/control"
}

lio_add_many() {
  local count=$1 number portal
  shift
  lio_load
  for ((number = 1; number <= count; number++)); do
    for portal in "$@"; do echo "$LIO/iscsi/$IQN-$number/tpgt_1/np/$portal"; done
  done >"$WORK/portals"
  # In one go: a directory made is a portal that listens.
  in_target xargs mkdir -p <"$WORK/portals"
  for ((number = 1; number <= count; number++)); do
    lio_open "$LIO/iscsi/$IQN-$number/tpgt_1"
    echo 1 >"$LIO/iscsi/$IQN-$number/tpgt_1/enable"
  done
}

# lio_share_disk COUNT MIB [LUNS]: gives the targets of target_add_many the same disk as so many LUNs (1), from 0 on.
lio_share_disk() {
  local number lun store=$LIO/core/fileio_1/shared
  file_size "$TARGET_FILES/shared" "$2"
  mkdir -p "$store"
  printf 'fd_dev_name=%s,fd_dev_size=%s' "$TARGET_FILES/shared" $(($2 << 20)) >"$store/control"
  echo 1 >"$store/enable"
  for ((number = 1; number <= $1; number++)); do
    for ((lun = 0; lun < ${3:-1}; lun++)); do echo "$LIO/iscsi/$IQN-$number/tpgt_1/lun/lun_$lun"; done
  done >"$WORK/luns"
  xargs mkdir <"$WORK/luns"
  sed 's/$/\/store/' "$WORK/luns" | xargs -n 1 ln -s "$store"
}

# configfs wants everything taken down in the reverse order, and each directory by name.
lio_stop() {
  [[ -d $LIO/iscsi ]] || return 0
  local group path
  for group in "$LIO"/iscsi/*/tpgt_*; do
    [[ -d $group ]] && echo 0 >"$group/enable"
  done
  (
    shopt -s nullglob
    paths=("$LIO"/iscsi/*/tpgt_*/lun/lun_*/store)
    ((${#paths[@]})) && rm "${paths[@]}"
    # All are patterns, so that what is not there is left out.
    for path in 'iscsi/*/tpgt_*/lun/lun_*' 'iscsi/*/tpgt_*/np/*' 'iscsi/*/tpgt_*' 'iscsi/iqn.*' 'core/fileio_1/*/' \
      'core/fileio_*/' 'iscs[i]/'; do
      # shellcheck disable=SC2206 # the pattern is to be expanded
      paths=($LIO/$path)
      ((${#paths[@]})) && printf '%s\n' "${paths[@]}" | xargs rmdir
    done
    true
  )
}

# fake_target PORT STEP...: something at $TARGET_ADDRESS:PORT that plays these steps (guest/fake-target) on each connection. Called
# again with the same port it changes what is played.
fake_target() {
  local port=$1 script=/tmp/fake-$1
  shift
  network_up
  printf '#!/bin/bash\nexec /vm/guest/fake-target%s\n' "$(printf ' %q' "$@")" >"$script.new"
  chmod +x "$script.new"
  mv "$script.new" "$script"
  ! port_listens "$port" || return 0
  # Not by in_target: $! is to be nc itself, the leader of a group with what it starts.
  nsenter -n/run/netns/target setsid nc -ll -p "$port" -e "$script" >/dev/null 2>&1 &
  echo $! >"$script.pid"
  wait_until 5 port_listens "$port"
}
# fake_target_stop PORT: it is gone, with its connections.
fake_target_stop() {
  kill -9 -- "-$(<"/tmp/fake-$1.pid")"
  wait_until 5 port_is_free "$1"
}
port_is_free() { ! port_listens "$1"; }
port_listens() {
  in_target busybox netstat -tln | grep -q ":$1 "
}
