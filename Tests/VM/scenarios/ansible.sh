# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Ansible's module community.general.open_iscsi on our iscsiadm: what it returns, and that nothing changes the second time.
# targets: tgt
# kernels: 6.12
# needs: ansible
# limit: 120

# shellcheck source=Tests/VM/clients.sh
source /vm/clients.sh
PLAY=$WORK/play.yml

# task ARGUMENTS EXPECTATION: adds a call of the module to the play, with what its result is to be.
task() {
  printf '    - community.general.open_iscsi: {portal: %s, %s}\n' "$TARGET_ADDRESS" "$1"
  printf '      register: result\n      failed_when: "not (%s)"\n' "$2"
} >>"$PLAY"
succeeds() { task "$1" "not result.failed and $2"; }
fails() { task "$1" "result.failed and $2"; }

# shell COMMAND: adds a command, which may be one of these functions.
shell() {
  printf "    - raw: '%s'\n" "$1" >>"$PLAY"
}
export -f check_data expect_equal expect_sessions fail session_count wait_until

# ansible COMMAND ARGUMENT...: playbook or adhoc, which `ansible-playbook` and `ansible` are.
ansible() {
  LC_ALL=C.UTF-8 ANSIBLE_HOME=$WORK/ansible ANSIBLE_EXECUTABLE=/bin/bash ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 \
    ANSIBLE_INVENTORY_UNPARSED_WARNING=no ANSIBLE_LOCALHOST_WARNING=no ANSIBLE_PIPELINING=yes \
    python3 -m ansible "$1" -c local "${@:2}"
}

clients_start
printf -- '- hosts: localhost\n  gather_facts: false\n  tasks:\n' >"$PLAY"

succeeds 'discover: true, show_nodes: true' "result.changed and result.cache_updated and result.nodes | sort == ['$CHAP_IQN', '$IQN']"
succeeds 'discover: true, show_nodes: true' 'not result.changed and result.nodes | length == 2'
fails "target: $IQN-none, login: true" "result.msg == 'Specified target not found'"

succeeds "target: $IQN, login: true" 'result.changed and result.connection_changed'
shell "wait_until 10 test -b $(by_path "$IQN")"
succeeds "target: $IQN, login: true" 'not result.changed and result.devicenodes | length == 1'
shell 'expect_sessions 1 && check_data {{ result.devicenodes[0] | basename }} 1'

fails "target: $CHAP_IQN, login: true" 'result.rc == 24'
chap="target: $CHAP_IQN, node_user: alice, node_pass: $SECRET, node_user_in: queen, node_pass_in: $TARGET_SECRET"
succeeds "$chap, login: true" 'result.changed and result.connection_changed'
shell "wait_until 10 test -b $(by_path "$CHAP_IQN")"
succeeds "$chap, login: true" 'not result.changed and result.devicenodes | length == 1'
shell 'expect_sessions 2 && check_data {{ result.devicenodes[0] | basename }} 1'

succeeds "target: $IQN, automatic: true" 'result.changed and result.automatic_changed'
succeeds "target: $IQN, automatic: true, rescan: true" "not result.automatic_changed and 'target: $IQN, portal' in result.sessions"
succeeds "target: $IQN, auto_portal_startup: false, login: false" 'result.automatic_portal_changed and result.connection_changed'
succeeds "target: $IQN, login: false" 'not result.changed'

expect_exit 0 ansible playbook -v "$PLAY"
expect_stdout ' ok=16 +changed=.* failed=0 '
expect_no_secret $SECRET
expect_no_secret $TARGET_SECRET

expect_exit 0 ansible adhoc localhost -m community.general.open_iscsi -a "target=$CHAP_IQN login=false show_nodes=true"
sed -i 's/^localhost | CHANGED => //' "$OUT/stdout"
expect_json ".changed and .connection_changed and (.nodes | sort) == [\"$CHAP_IQN\", \"$IQN\"]"
expect_nothing_left
clients_stop
