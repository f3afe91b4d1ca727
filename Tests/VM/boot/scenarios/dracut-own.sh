# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# dracut's own module iscsi, unchanged, with our executable and units under the names of open-iscsi's.
# limit: 400
# memory: 1024

image_of dracut-own
server serve_root tgt
diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot \
  root=LABEL=root rw "netroot=iscsi:10.0.0.1:::1:$IQN" rd.neednet=1
# Another daemon has made the session, which has left its record of it.
expect_kept
ends_whole tgt
