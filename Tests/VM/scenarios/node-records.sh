# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Records of nodes and interfaces: made, changed, declared and deleted in turn with open-iscsi; broken ones, a lock left over and
# writers that are killed at any moment harm no other. SEED repeats the moments.
# daemon: no
# kernels: 6.12
# limit: 120

PATH=$PATH:/opt/open-iscsi
nodes=/etc/iscsi/nodes
record=$nodes/$IQN/10.0.0.1,3260,1/default

# Where open-iscsi of this distribution has them.
mkdir -p $nodes
touch /etc/iscsi/iscsid.conf
expect_exit 21 iscsi-admin node list
expect_stderr 'there are no records of nodes'
expect_exit 0 iscsi-admin node create "$IQN" --portal 10.0.0.1:3260,1 node.startup=automatic
expect_exit 15 iscsi-admin node create "$IQN" --portal 10.0.0.1:3260,1
expect_exit 0 iscsi-admin node list
expect_stdout "^10\.0\.0\.1:3260,1 +$IQN +default +automatic$"

# Made by open-iscsi and by us they are the same, and so they are when both have changed them.
iscsiadm -m node -o new -T "$IQN-theirs" -p 10.0.0.1:3260,1 >/dev/null 2>&1
expect_exit 0 iscsiadm -m node -T "$IQN-theirs" -o update -n node.startup -v automatic
same_as_theirs() {
  sed "s/$IQN-theirs/$IQN/" "$nodes/$IQN-theirs/10.0.0.1,3260,1/default" | diff "$record" - || fail "$1"
}
same_as_theirs 'a new record differs from that of open-iscsi'
expect_equal "$(readlink "/etc/iscsi/static/$IQN-theirs,10.0.0.1,3260,1,default")" \
  "$(readlink "/etc/iscsi/static/$IQN,10.0.0.1,3260,1,default" | sed "s/$IQN/$IQN-theirs/")"
expect_exit 0 iscsi-admin node set "$IQN-theirs" node.session.queue_depth=64
expect_stdout '^  node.session.queue_depth: 32 -> 64$'
expect_exit 0 iscsiadm -m node -T "$IQN" -o update -n node.session.queue_depth -v 64
same_as_theirs 'a record that was changed differs from that of open-iscsi'
expect_exit 0 iscsiadm -m node
expect_equal 2 "$(wc -l <"$OUT/stdout")"

# A secret is for open-iscsi to read, and nobody sees it.
expect_exit 7 iscsi-admin node set "$IQN" node.session.auth.password=wonderland12
expect_no_secret wonderland12
expect_exit 0 iscsi-admin node set "$IQN" "node.session.auth.password=@$(password_file wonderland12)"
expect_stdout '^  node.session.auth.password: \(none\) -> \*{8}$'
expect_exit 0 iscsi-admin node show
expect_no_secret wonderland12
expect_exit 0 iscsiadm -m node -T "$IQN" -S
expect_stdout '^node.session.auth.password = wonderland12$'

# One wrong assignment changes nothing.
before=$(cat "$nodes"/*/*/*)
expect_exit 7 iscsi-admin node set --all node.startup=manual node.session.queue_depth=many
expect_exit 0 iscsi-admin node set --all node.startup=manual --dry-run
expect_equal "$before" "$(cat "$nodes"/*/*/*)"

# Interfaces, and their copies.
expect_exit 0 iscsi-admin iface create storage iface.net_ifacename=eth0
expect_exit 0 iscsiadm -m iface
expect_stdout '^storage tcp,<empty>,<empty>,eth0,<empty>$'
expect_exit 0 iscsi-admin node create "$IQN" --portal 10.0.0.1:3260,1 --interface storage
expect_exit 0 iscsi-admin iface set storage iface.net_ifacename=eth1
expect_equal 2 "$(grep -lr 'iface.net_ifacename = eth1' /etc/iscsi/nodes /etc/iscsi/ifaces | wc -l)"
expect_exit 0 iscsiadm -m iface -I storage -o update -n iface.net_ifacename -v eth2
expect_equal 2 "$(grep -lr 'iface.net_ifacename = eth2' /etc/iscsi/nodes /etc/iscsi/ifaces | wc -l)"
expect_exit 0 iscsi-admin iface delete storage
expect_exit 0 iscsi-admin iface list --quiet
expect_equal 'default iser' "$(xargs <"$OUT/stdout")"

# What is printed can be declared: deleted records come back, and then there is nothing to do.
iscsi-admin node show --json --show-secrets >"$WORK/nodes.json"
before=$(cat "$nodes"/*/*/*)
expect_exit 0 iscsi-admin node delete --all
expect_exit 21 iscsiadm -m node
expect_exit 0 iscsi-admin node apply "$WORK/nodes.json"
expect_equal "$before" "$(cat "$nodes"/*/*/*)"
expect_exit 0 iscsi-admin node apply "$WORK/nodes.json" --prune
expect_silent_stdout

# Broken records are told of. The lock of a program that is gone keeps nobody waiting.
mkdir -p "$nodes/$IQN-broken/10.0.0.1,3260,1"
: >"$nodes/$IQN-broken/10.0.0.1,3260,1/default"
echo stray >"$nodes/stray"
mkdir -p /run/lock/iscsi
: >/run/lock/iscsi/lock
ln /run/lock/iscsi/lock /run/lock/iscsi/lock.write
expect_exit 0 iscsi-admin node set --all node.startup=automatic
# A younger lock may have an owner that cannot be seen.
expect_within 12000
expect_equal 2 "$(wc -l <"$OUT/stderr")"
expect_stderr "$IQN-broken/.* is no record: it is empty"
[[ ! -e /run/lock/iscsi/lock.write ]] || fail 'the lock is still there'
rm -r "$nodes"

# Writers that are killed.
SEED=${SEED:-$RANDOM}
echo "SEED=$SEED"
RANDOM=$SEED
jq -n --arg iqn "$IQN" '{nodes: [range(50) | {target: "\($iqn)-\(.)", portal: "10.0.0.1:3260,1"}]}' >"$WORK/many.json"
expect_exit 0 iscsi-admin node apply "$WORK/many.json" --quiet
lines=$(wc -l <"$nodes/$IQN-0/10.0.0.1,3260,1/default")
expect_exit 0 iscsi-admin node set --all node.session.queue_depth=1000 --quiet
duration=$((ELAPSED_MS < 20 ? 20 : ELAPSED_MS))
killed=0
for run in {1..200}; do
  iscsi-admin node set --all node.session.queue_depth="$run" --quiet &
  writer=$!
  sleep "$(printf '0.%03d' $((RANDOM % duration)))"
  kill -KILL $writer 2>/dev/null || true
  status=0
  wait $writer 2>/dev/null || status=$?
  ((status == 0)) || killed=$((killed + 1))
  # Each is there, with all its lines and its end.
  expect_equal 50 "$(grep -c '' "$nodes"/*/*/default | grep -c ":$lines$")"
  expect_equal 50 "$(grep -lx '# END RECORD' "$nodes"/*/*/default | wc -l)"
done
echo "$killed of 200 writers were killed"
((killed > 60)) || fail 'most writers had ended before they were to be killed'
expect_exit 0 iscsi-admin node list
expect_silent_stderr
expect_equal 51 "$(wc -l <"$OUT/stdout")"
expect_exit 0 iscsi-admin node set --all node.session.queue_depth=7 --quiet
expect_within 3000
expect_equal 50 "$(grep -l '^node.session.queue_depth = 7$' "$nodes"/*/*/default | wc -l)"
expect_equal '' "$(find /etc/iscsi -name '.iscsi-admin*')"
expect_exit 0 iscsiadm -m node
expect_equal 50 "$(wc -l <"$OUT/stdout")"

# The name of this machine.
rm /etc/iscsi/initiatorname.iscsi
expect_exit 0 iscsi-admin initiator-name --generate --write
expect_equal "InitiatorName=$(<"$OUT/stdout")" "$(</etc/iscsi/initiatorname.iscsi)"
expect_equal 600 "$(stat -c %a /etc/iscsi/initiatorname.iscsi)"
expect_exit 15 iscsi-admin initiator-name --generate --write
