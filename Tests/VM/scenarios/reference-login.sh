# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The targets work, independent of our code: open-iscsi discovers, logs in without CHAP, with it, and both ways.
# targets: tgt lio
# reference: open-iscsi
# kernels: 6.12
# limit: 120

# login NAME SETTING=VALUE...: makes a record of the target and logs in; STATUS is iscsiadm's.
login() {
  local name=$1 setting
  shift
  iscsiadm -m node -T "$name" -p "$TARGET_ADDRESS" -o new >/dev/null
  for setting in "$@"; do
    iscsiadm -m node -T "$name" -o update -n "node.session.auth.${setting%%=*}" -v "${setting#*=}"
  done
  run iscsiadm -m node -T "$name" -l
}

# use NAME: disk, data and logout of a session that was just made.
use() {
  local disk
  expect_equal 0 "$STATUS"
  disk=$(disk_of "$1")
  check_data "$disk" 1
  expect_exit 0 iscsiadm -m node -T "$1" -u
  expect_sessions 0
}

target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --portal "[$TARGET_ADDRESS_6]:3260"
target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --name "$IQN-chap" --user alice --secret wonderland12
target_start "$TARGET" --portal "$TARGET_ADDRESS:3260" --name "$IQN-mutual" --user alice2 --secret wonderland12 \
  --mutual-user queen --mutual-secret offwithherhead
start_iscsid

expect_exit 0 iscsiadm -m discovery -t sendtargets -p "$TARGET_ADDRESS"
expect_stdout "^10\.0\.0\.1:3260,1 $IQN$"
expect_stdout "^10\.0\.0\.1:3260,1 $IQN-mutual$"
expect_exit 0 iscsiadm -m discovery -t sendtargets -p "[$TARGET_ADDRESS_6]:3260"
expect_stdout "^\[fd00.*::*1\]:3260,1 $IQN$"
rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets

login "$IQN"
use "$IQN"

login "$IQN-chap" authmethod=CHAP username=alice password=wonderland12
use "$IQN-chap"
login "$IQN-chap" authmethod=CHAP username=alice password=wrongwrongwrong
expect_equal 24 "$STATUS"
login "$IQN-chap" authmethod=None
expect_equal 24 "$STATUS"

login "$IQN-mutual" authmethod=CHAP username=alice2 password=wonderland12 username_in=queen password_in=offwithherhead
use "$IQN-mutual"
login "$IQN-mutual" authmethod=CHAP username=alice2 password=wonderland12 username_in=queen password_in=notthequeen12
expect_equal 19 "$STATUS"

# Which digests the target takes, as a fact in the output.
for digest in MD5 SHA1 SHA256 SHA3-256; do
  login "$IQN-chap" authmethod=CHAP username=alice password=wonderland12 "chap_algs=$digest"
  echo "digest $digest: status $STATUS"
  ((STATUS == 0)) && use "$IQN-chap"
done
stop_iscsid
