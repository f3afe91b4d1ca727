# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For scenarios in which a program of others calls iscsiadm, and for two targets: $IQN, and $CHAP_IQN that wants mutual CHAP.

# shellcheck disable=SC2034 # used by scenarios
CHAP_IQN=iqn.2026-11.org.example:chap SECRET=wonderland12 TARGET_SECRET=rabbit-hole-9
# shellcheck disable=SC2034
LUN=$(first_lun "$TARGET")

# clients_start: the targets; our executable where programs look for iscsiadm; udev, because they look for disks by its names.
clients_start() {
  target_start "$TARGET"
  target_start "$TARGET" --name $CHAP_IQN --user alice --secret $SECRET --mutual-user queen --mutual-secret $TARGET_SECRET
  ln -sf iscsi-admin /usr/bin/iscsiadm
  /lib/systemd/systemd-udevd --daemon
}

# clients_stop: neither udev nor the name is left.
clients_stop() {
  udev_stop
  rm -rf /usr/bin/iscsiadm /run/udev /dev/disk
}

# by_path TARGET: the name under which udev has its disk.
by_path() { echo "/dev/disk/by-path/ip-$TARGET_ADDRESS:3260-iscsi-$1-lun-$LUN"; }
