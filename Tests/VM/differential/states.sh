# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The states that groups of cases begin from, and what their set-up steps may use. A state is a function state_NAME; a tool's own
# database is made by it, what is broken or old is written by hand.

# The targets, all with tgt at P, P2 and P6, but TL, which is LIO's, at port 3261 of P and P2. What names nothing is NONE.
# shellcheck disable=SC2034 # used by cases
{
  T=$IQN T2=$IQN-2 T3=$IQN-3 TC=$IQN-chap TM=$IQN-mutual TL=$IQN-lio NONE=$IQN-none
  P=$TARGET_ADDRESS P2=$TARGET_ADDRESS_2 P6=[$TARGET_ADDRESS_6]
  NODES=/etc/iscsi/nodes IFACES=/etc/iscsi/ifaces
}

# targets_start: the same for both tools; they run as long as the tool does.
targets_start() {
  local name portals=(--portal "$TARGET_ADDRESS:3260" --portal "$TARGET_ADDRESS_2:3260" --portal "[$TARGET_ADDRESS_6]:3260")
  network_up
  # tgt opens its portals with the first of them.
  tgt_daemon
  touch /run/tgtd.listens
  for name in "$T" "$T2" "$T3"; do target_start tgt --name "$name" --lun 8 "${portals[@]}"; done
  target_start tgt --name "$TC" --lun 8 "${portals[@]}" --user alice --secret wonderland12
  target_start tgt --name "$TM" --lun 8 "${portals[@]}" --user alice2 --secret wonderland12 \
    --mutual-user queen --mutual-secret offwithherhead
  rm /run/tgtd.listens
  tgt_listen "$TARGET_ADDRESS:3260" "$TARGET_ADDRESS_2:3260" "[$TARGET_ADDRESS_6]:3260"
  target_start lio --name "$TL" --lun 8 --portal "$TARGET_ADDRESS:3261" --portal "$TARGET_ADDRESS_2:3261"
}

# database_clean: an empty database, and settings that make failing quick.
database_clean() {
  rm -rf /etc/iscsi /run/lock/iscsi
  mkdir -p /etc/iscsi /run/lock/iscsi
  # open-iscsi makes it when somebody looks for an interface.
  mkdir -m 700 /etc/iscsi/ifaces
  echo "InitiatorName=$INITIATOR_IQN" >/etc/iscsi/initiatorname.iscsi
  cat >/etc/iscsi/iscsid.conf <<'END'
node.startup = manual
node.session.timeo.replacement_timeout = 5
node.conn[0].timeo.login_timeout = 2
node.conn[0].timeo.logout_timeout = 5
node.session.initial_login_retry_max = 1
discovery.sendtargets.reopen_max = 0
discovery.sendtargets.timeo.login_timeout = 2
END
}

# private_directories PATH...: with all above them, as open-iscsi makes them.
private_directories() { (umask 077 && mkdir -p "$@"); }

# record NAME ADDRESS PORT TPGT IFACE [KEY=VALUE...]: a node record as any release may have written it, and its link.
record() {
  local directory=$NODES/$1/$2,$3,$4
  private_directories "$directory" /etc/iscsi/static
  record_text "$@" >"$directory/$5"
  chmod 600 "$directory/$5"
  ln -sfn "$directory" "/etc/iscsi/static/$1,$2,$3,$4,$5"
}
# old_record NAME ADDRESS PORT [KEY=VALUE...]: a file in the place of the portal's directory.
old_record() {
  local file=$NODES/$1/$2,$3
  private_directories "$NODES/$1"
  record_text "$1" "$2" "$3" -1 default "${@:4}" >"$file"
  chmod 600 "$file"
}
record_text() {
  echo '# BEGIN RECORD 2.0-874'
  echo "node.name = $1"
  echo "node.tpgt = $4"
  printf '%s\n' 'node.startup = manual' 'node.leading_login = No'
  echo "iface.iscsi_ifacename = $5"
  printf '%s\n' 'iface.transport_name = tcp' 'node.discovery_port = 0' 'node.discovery_type = static' \
    'node.session.initial_login_retry_max = 1' 'node.session.timeo.replacement_timeout = 5'
  echo "node.conn[0].address = $2"
  echo "node.conn[0].port = $3"
  echo 'node.conn[0].timeo.login_timeout = 2'
  (($# < 6)) || printf '%s\n' "${@:6}" | sed 's/=/ = /'
  echo '# END RECORD'
}
# iface NAME [KEY=VALUE...]: an iface record.
iface() {
  private_directories "$IFACES"
  {
    echo '# BEGIN RECORD 2.0-874'
    echo "iface.iscsi_ifacename = $1"
    (($# < 2)) || printf 'iface.%s\n' "${@:2}" | sed 's/=/ = /'
    echo '# END RECORD'
  } >"$IFACES/$1"
  chmod 600 "$IFACES/$1"
}

state_empty() { :; }

# state_discovered: what the tool finds at P, with the default iface.
state_discovered() { iscsiadm -m discovery -t sendtargets -p "$P"; }

# state_records: three targets, one at two portals, written by hand.
state_records() {
  record "$T" "$P" 3260 1 default
  record "$T" "$P2" 3260 1 default
  record "$T2" "$P" 3260 1 default node.startup=automatic
  record "$T3" "${P6//[][]/}" 3260 1 default
}

# state_startups: a target for each way to start, and one that leads.
state_startups() {
  record "$T" "$P" 3260 1 default node.startup=automatic
  record "$T2" "$P" 3260 1 default
  record "$T3" "$P" 3260 1 default node.startup=onboot
}

# state_made: records that the tool makes.
state_made() {
  iscsiadm -m node -T "$T" -p "$P:3260,1" -o new
  iscsiadm -m node -T "$T2" -p "$P:3260,1" -o new
}

# state_logged_in: a session with its disk.
state_logged_in() {
  [[ -d $NODES/$T ]] || record "$T" "$P" 3260 1 default
  iscsiadm -m node -T "$T" -p "$P" -l
  disks_appear "$T"
}

state_ifaces() {
  iface if0 transport_name=tcp net_ifacename=san0
  iface if1 transport_name=tcp hwaddress=00:11:22:33:44:55
  iface if2 transport_name=tcp "initiatorname=$INITIATOR_IQN-2"
}

# state_chap: what leads to each end of an authentication.
state_chap() {
  local auth=node.session.auth
  record "$TC" "$P" 3260 1 default $auth.authmethod=CHAP $auth.username=alice $auth.password=wonderland12
  record "$TC" "$P2" 3260 1 default $auth.authmethod=CHAP $auth.username=alice $auth.password=wrongwrongwrong
  record "$TC" "${P6//[][]/}" 3260 1 default
  record "$TM" "$P" 3260 1 default $auth.authmethod=CHAP $auth.username=alice2 $auth.password=wonderland12 \
    $auth.username_in=queen $auth.password_in=offwithherhead
  record "$TM" "$P2" 3260 1 default $auth.authmethod=CHAP $auth.username=alice2 $auth.password=wonderland12 \
    $auth.username_in=queen $auth.password_in=notthequeen12
}

state_old_layout() {
  old_record "$T" "$P" 3260
  old_record "$T2" "$P" 3260 node.startup=automatic
  record "$T2" "$P2" 3260 1 default
}

state_unknown_keys() {
  state_records
  record "$T" "$P" 3260 1 default node.session.sess_reopen_log_freq=5 node.conn[0].tcp.congestion_control=bbr node.nobody.knows=this
}

state_empty_file() {
  state_records
  : >"$NODES/$T/$P,3260,1/default"
}

state_stray_file() {
  state_records
  echo 'not a record' >"$NODES/stray"
}

state_no_daemon() { tool_stop; }

# --- for steps

# disks_appear TARGET: the disk of the session that it has.
disks_appear() {
  grep -qx "$1" /sys/class/iscsi_session/session*/targetname 2>/dev/null && wait_for 50 disk_is_there "$1"
}
# interrupted SIGNAL PORT ARGUMENT...: iscsiadm gets a signal when it is connected to this port of the target; its status. Job control,
# without which what is in the background ignores SIGINT.
interrupted() {
  local signal=$1 port=$2 status=0
  shift 2
  set -m
  iscsiadm "$@" &
  set +m
  wait_for 50 is_connected "$port"
  kill -s "$signal" $!
  wait $! 2>/dev/null || status=$?
  return $status
}
is_connected() { busybox netstat -tn | grep -q ":$1 .*ESTABLISHED"; }
# tgt_hide TARGET... / tgt_show TARGET...: whether discoveries find them.
tgt_hide() { tgt_bind_all unbind "$@"; }
tgt_show() { tgt_bind_all bind "$@"; }
tgt_bind_all() {
  local name
  for name in "${@:2}"; do tgtadm_iscsi --op "$1" --mode target --tid "$(tgt_id "$name")" --initiator-address ALL; done
}
# sessions_are COUNT: soon there are so many, for what is not waited for.
sessions_are() { wait_for 100 session_count_is "$1"; }
session_count_is() { [[ $(session_count) == "$1" ]]; }
# wait_for TENTHS CONDITION...: like wait_until, but a step may fail with one of the tools.
wait_for() {
  local left=$(($1 * ${PATIENCE:-1}))
  shift
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || return 1
    sleep 0.1
  done
}
