# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Who types the examples of README.md one after the other, with targets at 10.0.0.1, finds that each does what it is there for.
# kernels: 6.12
# limit: 120

target_start tgt --name iqn.2003-01.org.example:disk1
target_start tgt --name iqn.2003-01.org.example:disk2
cd "$WORK" || exit
echo 'a long enough secret' >secret.txt
chmod 600 secret.txt

# The commands of the two sections that go on from each other, a line each; eth1 is san0 here.
awk '
  /^## / { wanted = $0 == "## Use it" || $0 == "## Records" }
  wanted && (open || /^    iscsi-admin /) { open = sub(/\\$/, ""); printf "%s%s", $0, open ? "" : "\n" }
' /vm/README.md | sed 's/^ *//; s/=eth1$/=san0/' >examples
(($(wc -l <examples) > 25)) || fail 'the examples were not found'

while read -r example <&3; do
  case $example in
    'iscsi-admin watch'* | 'iscsi-admin monitor'*)
      run timeout -s INT 2 bash -c "exec $example"
      expect_silent_stderr
      ;;
    *) expect_exit 0 bash -c "$example" ;;
  esac
done 3<examples
expect_exit 21 iscsi-admin session list
expect_exit 21 iscsi-admin node list
expect_exit 21 iscsi-admin discovery list
