# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Targets are found by an iSNS server, with the words and the records of open-iscsi, and logged in to.
# kernels: 6.12
# daemon: no
# limit: 120

mkdir -p "$WORK/ours" "$WORK/isns"
ln -s "$(type -P iscsi-admin)" "$WORK/ours/iscsiadm"
TWO=iqn.2026-11.org.example:two

# --- the server

isns_start() {
  printf '%s\n' "SourceName = iqn.2026-11.org.example:isns" "Database = $WORK/isns" "DefaultDiscoveryDomain = 1" \
    "RegistrationPeriod = 0" "Security = 0" "ControlSocket = $WORK/isnsctl" "PIDFile = $WORK/isnsd.pid" >"$WORK/isnsd.conf"
  # Not by in_target: $! is to be isnsd itself.
  nsenter -n/run/netns/target setsid isnsd -f -6 -c "$WORK/isnsd.conf" >"$OUT/isnsd.log" 2>&1 &
  ISNSD=$!
  wait_until 10 port_listens 3205
}

# isns_as NAME OPTION...: talks to it in the name of a node.
isns_as() {
  local name=$1
  shift
  printf '%s\n' "SourceName = $name" "ServerAddress = 127.0.0.1" "Security = 0" >"$WORK/isnsadm.conf"
  in_target isnsadm -c "$WORK/isnsadm.conf" "$@" >>"$OUT/isnsadm.log" 2>&1
}

isns_register() {
  isns_as "$IQN" --register entity=one target="$IQN" portal="$TARGET_ADDRESS:3260/tcp"
  isns_as $TWO --register entity=two target=$TWO portal="$TARGET_ADDRESS_2:3260/tcp" pg,pgt=1 \
    "portal=[fd00:1::1]:3260/tcp" pg,pgt=2 portal="$TARGET_ADDRESS_2:3261/tcp"
}

# unfriendly_start: another server on port 3300, which answers only who is registered; what it is asked is in $WORK/asked.
unfriendly_start() {
  local target answer
  # A portal group: the name, 10.0.0.1, port 3260, tag 1.
  target=0000003000000020$(printf %s "$IQN" | xxd -p -c 256)000000000000003100000010$(printf %020d 0)ffff0a000001
  target+=000000320000000400000cbc000000330000000400000001
  answer=0000002100000004000000010000000000000000$target
  cat >"$WORK/unfriendly" <<END
#!/bin/bash
while header=\$(dd bs=12 count=1 iflag=fullblock 2>/dev/null | xxd -p) && ((\${#header} == 24)); do
  function=\${header:4:4} payload=\$(dd bs=\$((16#\${header:8:4})) count=1 iflag=fullblock 2>/dev/null | xxd -p | tr -d '\n')
  echo "\$function \$payload" >>$WORK/asked
  reply=00000000
  case \$function in
    0001) touch $WORK/registered ;;
    0004) rm -f $WORK/registered ;;
    *) if [[ -e $WORK/registered ]]; then reply+=$answer; else reply=00000006; fi ;;
  esac
  printf '0001%04x%04x4c00%s0000%s' \$((16#\$function | 0x8000)) \$((\${#reply} / 2)) "\${header:16:4}" \$reply | xxd -r -p
done
END
  chmod +x "$WORK/unfriendly"
  nsenter -n/run/netns/target setsid nc -ll -p 3300 -e "$WORK/unfriendly" >/dev/null 2>&1 &
  UNFRIENDLY=$!
  wait_until 5 port_listens 3300
}

# --- the comparison

# records: the database, with the sum of each file.
records() {
  find /etc/iscsi -mindepth 1 ! -name '*.iscsi' ! -name iscsid.conf -exec ls -ld {} + | awk '{ print $1, $9, $11 }' | sort
  find /etc/iscsi -mindepth 1 -type f ! -name '*.iscsi' ! -name iscsid.conf -exec md5sum {} + | sort
}

# try ARGUMENT...: what a command line prints and leaves.
try() {
  local status=0
  echo "\$ iscsiadm $*"
  iscsiadm "$@" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
  # A listing of the database is as the file system lists, where each program makes what it replaces anew in its own way.
  if [[ $* == *' -P 1' && $* != *' -t '* ]]; then sort "$WORK/stdout"; else cat "$WORK/stdout"; fi
  sed 's/^/! /' "$WORK/stderr"
  echo "= $status"
  records
}

# play: the same with each program, from nothing.
play() {
  rm -rf /etc/iscsi/{nodes,ifaces,isns,send_targets,static} "$WORK/asked" "$WORK/registered"
  try -m discovery -t isns -p "$TARGET_ADDRESS:1"
  try -m discovery -t isns -p nosuch.example
  try -m discovery -t isns -p "$TARGET_ADDRESS"
  isns_register
  try -m discovery -t isns -p "$TARGET_ADDRESS" -o nonpersistent
  try -m discovery -t isns -p "$TARGET_ADDRESS"
  try -m discovery -t isns -p "$TARGET_ADDRESS:3205" -P 1
  try -m discovery
  try -m discovery -P 1
  try -m node -T $TWO
  try -m iface -I path0 -o new
  try -m discovery -t isns -p "$TARGET_ADDRESS" -I path0 -I default
  try -m discovery -t isns -p "$TARGET_ADDRESS" -I default -P 1
  isns_as $TWO --deregister eid=two
  try -m discovery -t isns -p "$TARGET_ADDRESS" -o new
  try -m discovery -t isns -p "$TARGET_ADDRESS"
  try -m discoverydb -t isns -p "$TARGET_ADDRESS" -o new
  try -m discoverydb -t isns -p "$TARGET_ADDRESS"
  isns_register
  try -m discoverydb -t isns -p "$TARGET_ADDRESS" -D
  try -m discoverydb
  try -m discoverydb -P 1
  isns_as $TWO --deregister eid=two
  try -m discoverydb -t isns -p "$TARGET_ADDRESS" -D
  try -m node -T "$IQN" -o delete
  isns_as "$IQN" --deregister eid=one
  try -m discoverydb -t isns -p "$TARGET_ADDRESS" -D
  try -m discovery -t isns -p "$TARGET_ADDRESS:3300"
  cat "$WORK/asked"
  rm -f "$WORK/registered"
}

target_start tgt --portal "$TARGET_ADDRESS:3260"
isns_start
unfriendly_start
start_iscsid
play >"$OUT/theirs"
# docs/compatibility.md, isns-ipv6
expect_exit 3 iscsiadm -m discovery -t isns -p "[$TARGET_ADDRESS_6]:3205"
stop_iscsid
rm -rf /etc/iscsi/{nodes,ifaces,isns,send_targets,static}
PATH=$WORK/ours:$PATH
# shellcheck disable=SC2119
daemon_start
play >"$OUT/ours"
cat "$OUT/ours"
diff "$OUT/theirs" "$OUT/ours" || fail 'it differs from open-iscsi'
grep -q "^0004 " "$OUT/ours" || fail 'nothing was registered'

# --- what is found can be used

isns_register
rm -rf /etc/iscsi/{nodes,isns}
expect_exit 0 iscsi-admin discover --kind isns "$TARGET_ADDRESS" --json
expect_json '[.targets[] | select(.portals | length > 0)] | length == 2'
expect_json ".targets[] | select(.name == \"$TWO\") | .portals | length == 3"
expect_exit 0 iscsiadm -m discovery -t isns -p "$TARGET_ADDRESS"
expect_exit 0 iscsiadm -m discovery -t isns -p "[$TARGET_ADDRESS_6]:3205"
expect_stdout "^\\[fd00:1::1\\]:3260,2 $TWO\$"
expect_exit 0 iscsiadm -m node -T "$IQN" -l
check_data "$(disk_of "$IQN")" 1
expect_exit 0 iscsiadm -m node -T "$IQN" -u

# --- what comes and goes is followed by the daemon

is_logged_in() { grep -qsx "$IQN" /sys/class/iscsi_session/session*/targetname; }
is_logged_out() { ! is_logged_in; }
is_forgotten() { [[ ! -e /etc/iscsi/nodes/$IQN ]]; }
repeat() {
  expect_exit 0 iscsi-admin discovery set "$TARGET_ADDRESS:3205" discovery.isns.use_discoveryd="$1" \
    discovery.isns.discoveryd_poll_inval=1
}
rm -rf /etc/iscsi/{nodes,isns}
expect_exit 0 iscsi-admin discover --kind isns "$TARGET_ADDRESS" --save
repeat Yes
wait_until 15 is_logged_in
isns_as "$IQN" --deregister eid=one
wait_until 15 is_logged_out
wait_until 5 is_forgotten
[[ -e /etc/iscsi/nodes/$TWO ]] || fail 'what is still there was forgotten'
repeat No
wait_until 10 grep -q 'not repeated any more' "$OUT/daemon.log"

expect_exit 4 iscsi-admin discover --kind isns "$TARGET_ADDRESS:1"
expect_nothing_left
daemon_stop
kill "$ISNSD"
kill -- "-$UNFRIENDLY"
