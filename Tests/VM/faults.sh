# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What goes wrong in scenarios: targets, paths and logins; and the I/O that goes on meanwhile. KIND is tgt or lio.

# --- the target

# target_kill KIND: the target dies with its connections and its listening sockets. tgtd is killed; LIO is taken off the network.
target_kill() { "$1_kill"; }

# target_restart KIND [PORTAL...]: the same targets with the same disks and content are back, at these portals or at their first ones.
target_restart() {
  local kind=$1
  shift
  "${kind}_restart" "$@"
}

# target_remove_lun KIND NAME LUN: the unit is gone for good. May be called while the target is killed.
target_remove_lun() { "$1_remove_lun" "$2" "$3"; }

# target_freeze KIND / target_thaw KIND: connections stay, but nothing is answered. tgtd is stopped; LIO has no process that could
# be stopped, so both directions of the first path go silent (use a proxy for a LIO that still acknowledges octets).
target_freeze() {
  if [[ $1 == tgt ]]; then killall -STOP tgtd; else drop_packets 0 100; fi
}
target_thaw() {
  if [[ $1 == tgt ]]; then killall -CONT tgtd; else drop_packets 0 0; fi
}

# target_refuse KIND STATUS [TARGET_ADDRESS]: the target dies, and what is at its first portal now answers each login with this
# status (four hexadecimal digits). target_accept KIND: it is back.
target_refuse() {
  local text=()
  (($# < 3)) || text=("text=TargetAddress=$3")
  target_kill "$1"
  fake_target 3260 read answer "status=$2" "${text[@]}"
}
target_accept() {
  fake_target_stop 3260
  target_restart "$1"
}

# target_move KIND ADDRESS:PORT [STATUS]: the target is at another portal from now on; logins at the first are sent there (0102, for
# good, or 0101, for now).
target_move() {
  target_refuse "$1" "${3:-0102}" "$2,1"
  target_restart "$1" "$2"
}

# target_hide KIND NAME / target_unhide KIND NAME: a target is not found any more, and takes no login. LIO ends its sessions, tgt leaves
# them as they are.
target_hide() { "$1_hide" "$2"; }
target_unhide() { "$1_unhide" "$2"; }

tgt_kill() { tgt_stop; }

tgt_hide() { tgtadm_iscsi --op unbind --mode target --tid "$(tgt_id "$1")" --initiator-address ALL; }
tgt_unhide() { tgtadm_iscsi --op bind --mode target --tid "$(tgt_id "$1")" --initiator-address ALL; }

tgt_restart() {
  local options portals=("$@")
  ((${#portals[@]})) || mapfile -t portals <"$TARGET_FILES/tgt-portals"
  for options in "$TARGET_FILES"/tgt-starts/*; do
    mapfile -t options <"$options"
    TGT_RESTARTS=yes target_start tgt "${options[@]}"
  done
  tgt_listen "${portals[@]}"
}

tgt_remove_lun() {
  mkdir -p "$TARGET_FILES/gone"
  touch "$TARGET_FILES/gone/$(basename "$(backing_file "$1" "$2")")"
  [[ ! -e /run/tgtd.pid ]] || tgtadm_iscsi --op delete --mode logicalunit --tid "$(tgt_id "$1")" --lun "$2"
}

lio_kill() {
  local group name portals
  mkdir -p "$TARGET_FILES/portals"
  for group in "$LIO"/iscsi/*/tpgt_1; do
    echo 0 >"$group/enable"
    portals=("$group"/np/*)
    [[ -e ${portals[0]} ]] || continue
    portals=("${portals[@]##*/}")
    name=${group%/tpgt_1}
    [[ -e $TARGET_FILES/portals/${name##*/} ]] || printf '%s\n' "${portals[@]}" >"$TARGET_FILES/portals/${name##*/}"
  done
  # In one go, however many there are.
  find "$LIO"/iscsi/*/tpgt_1/np -mindepth 1 -maxdepth 1 -exec rmdir {} +
}

lio_restart() {
  local group name portal portals=()
  for group in "$LIO"/iscsi/*/tpgt_1; do
    name=${group%/tpgt_1}
    portals=("$@")
    ((${#portals[@]})) || mapfile -t portals <"$TARGET_FILES/portals/${name##*/}"
    for portal in "${portals[@]}"; do echo "$group/np/$portal"; done
  done >"$WORK/portals"
  in_target xargs mkdir -p <"$WORK/portals"
  for group in "$LIO"/iscsi/*/tpgt_1; do echo 1 >"$group/enable"; done
}

lio_hide() { echo 0 >"$LIO/iscsi/$1/tpgt_1/enable"; }
lio_unhide() { echo 1 >"$LIO/iscsi/$1/tpgt_1/enable"; }

lio_remove_lun() {
  local lun=$LIO/iscsi/$1/tpgt_1/lun/lun_$2
  rm "$lun/store"
  rmdir "$lun"
}

# lio_logins: how many logins LIO has taken since its targets were made.
lio_logins() { cat "$LIO"/iscsi/*/fabric_statistics/iscsi_login_stats/accepts | awk '{ sum += $1 } END { print sum + 0 }'; }

# --- the network. A path is 0 or 1, see network.sh, which has path_cut and path_restore as well: only what the target sends is lost.

# drop_packets PATH PERCENT: so many are lost silently, both ways; 0 ends it.
drop_packets() {
  local operation=replace loss=(netem loss "$2%")
  (($2 > 0)) || operation=delete loss=()
  # By its path: busybox prefers its own.
  in_target /sbin/tc qdisc $operation dev "tgt$1" root "${loss[@]}"
  tc qdisc $operation dev "san$1" root "${loss[@]}"
}

# link_down PATH / link_up PATH: the initiator's device loses its carrier, as when the cable is pulled; addresses stay.
link_down() {
  in_target sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down'
  ip -n target link set "tgt$1" down
}
link_up() { ip -n target link set "tgt$1" up; }

# reset_connections [PORT]: the target's side ends all of its connections at once by a RST.
reset_connections() {
  modprobe -q tcp_diag || true
  in_target ss -K -t state established "sport = :${1:-3260}" >/dev/null
}

# initiator_connections: the established connections to a port, a line each; the same text later means that none was made anew.
initiator_connections() {
  busybox netstat -tn | awk -v port=":${1:-3260}" '$6 == "ESTABLISHED" && substr($5, length($5) - length(port) + 1) == port { print $4, $5 }' | sort
}

# --- a proxy before the target: guest/pdu-proxy has the commands

# proxy_start PORT [TARGET_PORT]: at $TARGET_ADDRESS:PORT, before the target at TARGET_PORT (3260) of the same address.
proxy_start() {
  [[ -p $WORK/proxy ]] || mkfifo "$WORK/proxy"
  PROXY_PORT=$1
  in_target pdu-proxy "$TARGET_ADDRESS" "$1" "$TARGET_ADDRESS" "${2:-3260}" "$WORK/proxy" "$WORK/proxy.status" 2>"$OUT/proxy.log" &
  wait_until 5 port_listens "$1"
}
proxy() { echo "$*" >"$WORK/proxy"; }
# proxy_count KEY: connections, logins, refused, logouts or open.
proxy_count() { value_of "$1" "$WORK/proxy.status"; }
proxy_count_is_above() { (($(proxy_count "$1") > $2)); }

# async_logout_request [SECONDS]: the target (by the proxy: neither tgt nor LIO can) asks for a logout within this time.
async_logout_request() { proxy async 1 0 0 "${1:-10}"; }

# async_attention ASC ASCQ: the target tells of a unit attention with this code (hexadecimal), such as 3f 0e: its units have changed.
async_attention() { proxy attention "$1" "$2"; }

# --- I/O that goes on meanwhile

# io_start DISK... [OPTION...]: guest/io-check writes and reads these disks (sda, ...) until io_stop.
io_start() {
  local arguments=() argument
  for argument in "$@"; do
    [[ $argument != sd* ]] || argument=/dev/$argument
    arguments+=("$argument")
  done
  rm -f "$WORK/io.status"
  io-check run --journal "$WORK/io.journal" --status "$WORK/io.status" "${arguments[@]}" >"$OUT/io-check" 2>&1 &
  IO_PID=$!
  wait_until 10 io_count_is_above total 20
}

# io_count KEY: writes, reads, total, errors, corruptions or gap_ms of the running one.
io_count() { value_of "$1" "$WORK/io.status"; }
io_count_is_above() { (($(io_count "$1") > $2)); }

# io_goes_on [SECONDS]: requests are completed again within this time.
io_goes_on() {
  local before
  before=$(io_count total)
  wait_until "${1:-20}" io_count_is_above total $((before + 20))
}

# io_stop: ends it and sets IO_STATUS; what it reported is in $OUT/io-check and is printed.
io_stop() {
  IO_STATUS=0
  kill "$IO_PID" || true
  wait_until 30 process_ended "$IO_PID"
  wait "$IO_PID" || IO_STATUS=$?
  tr '\n' ' ' <"$OUT/io-check"
  echo
}
# io_result KEY: of the last report.
io_result() { value_of "$1" "$OUT/io-check"; }

# io_expect_clean: ends it; no corruption and no error, and everything that was acknowledged is there.
io_expect_clean() {
  io_stop
  expect_equal 0 "$IO_STATUS"
  expect_equal 0 "$(io_result corruptions)"
  expect_equal 0 "$(io_result errors)"
}

# io_expect_no_corruption: ends it; requests may have failed.
io_expect_no_corruption() {
  io_stop
  expect_equal 0 "$IO_STATUS"
  expect_equal 0 "$(io_result corruptions)"
}

# value_of KEY FILE: of a line key=value; 0 if there is none (yet).
value_of() {
  local value
  value=$(sed -n "s/^$1=//p" "$2" 2>/dev/null || true)
  echo "${value:-0}"
}

# --- what every outage must end with

session_state_is() { [[ $(cat /sys/class/iscsi_session/session"$1"/state 2>/dev/null) == "$2" ]]; }
# all_sessions_are STATE COUNT
all_sessions_are() {
  local files=(/sys/class/iscsi_session/session*/state)
  [[ -e ${files[0]} ]] || files=()
  ((${#files[@]} == $2)) && [[ $(cat "${files[@]}" 2>/dev/null | sort | uniq -c | awk '{ print $1, $2 }') == "$2 $1" ]]
}

host_count() {
  local hosts=(/sys/class/iscsi_host/host*)
  [[ -e ${hosts[0]} ]] && echo "${#hosts[@]}" || echo 0
}

# sessions_are_settled: each session has its host and its record, and is up by the daemon's word; there may be none.
sessions_are_settled() {
  local count records=("$DAEMON_SESSIONS"/*)
  [[ -e ${records[0]} ]] || records=()
  count=$(session_count)
  ((count == $(host_count) && count == ${#records[@]})) || return 1
  ((count == 0)) || iscsi-admin session show --json \
    | jq --exit-status ".sessions | length == $count and all(.state == \"LOGGED_IN\" and .recovery.phase == \"up\")"
}

# expect_whole COUNT: so many sessions, hosts and connections, all in use, and a record of each.
expect_whole() {
  wait_until 60 all_sessions_are LOGGED_IN "$1"
  expect_equal "$1" "$(host_count)"
  local connections=(/sys/class/iscsi_connection/connection*) records=("$DAEMON_SESSIONS"/*)
  expect_equal "$1" "${#connections[@]}"
  expect_equal "$1" "${#records[@]}"
}

# QUICK: a lost path is noticed within three seconds, and I/O outlives what a scenario does to it.
# shellcheck disable=SC2034 # used by scenarios
QUICK=(--replacement-timeout 90 --noop-interval 1 --noop-timeout 2 --timeout 10)

# session_with_io [OPTION...]: a session with $IQN at $PORTAL (the target's first) whose first disk is written to and read; sets SID and
# DISK and collects events.
session_with_io() {
  monitor_start
  expect_exit 0 iscsi-admin login "$IQN" --portal "${PORTAL:-$TARGET_ADDRESS}" "${QUICK[@]}" "$@"
  SID=$(sid_of "$IQN")
  wait_until 10 has_disks
  DISK=$(disks_of "$IQN" | head -1)
  io_start "$DISK" --workers 2
}
has_disks() { [[ -n $(disks_of "$IQN") ]]; }

# outage_begins COMMAND...: by it the session is lost.
outage_begins() {
  echo "--- $*"
  "$@"
  wait_until 20 session_state_is "$SID" FAILED
}

# outage_ends COMMAND...: after it the session is in use again; prints how long that took.
outage_ends() {
  local started=$EPOCHREALTIME
  echo "--- $*"
  "$@"
  wait_until 60 session_state_is "$SID" LOGGED_IN
  io_goes_on 30
  echo "in use $(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) ms later"
}

# end_session: nothing was lost or leaked: the I/O, the only session, and what is left of it after the logout.
end_session() {
  expect_whole 1
  expect_equal "$SID" "$(sid_of "$IQN")"
  io_expect_clean
  expect_logged_out
}
expect_logged_out() {
  expect_exit 0 iscsi-admin logout "$IQN"
  expect_silent_stderr
  monitor_stop
  expect_nothing_left "${PROXY_PORT:-3260}"
}
