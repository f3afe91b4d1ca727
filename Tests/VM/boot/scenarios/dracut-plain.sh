# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut without systemd: with a dead target its own loop comes to the emergency shell, and with one that lives the machine boots.
# limit: 300
# memory: 1024

parameters=(ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot
  rw "root=iscsi:10.0.0.1:::1:$IQN")
image_of dracut-plain
diskless_begin "${parameters[@]}" rd.retry=20
wait_until 60 console_has "login to $IQN at 10.0.0.1:3260 failed: connection refused"
wait_until 60 console_has 'dracut Warning: Could not boot.'
wait_until 30 console_has "dracut Warning: .*login to $IQN at 10.0.0.1:3260 failed: connection refused"
wait_until 30 console_has 'Dropping to debug shell'
machine_end diskless

server serve_root tgt
diskless_start "${parameters[@]}"
expect_adopted
expect_diskless_profile
ends_whole tgt
