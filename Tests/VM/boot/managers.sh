# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by scenarios in which a diskless machine has a real system, with a manager of its network. It would set up both cards by DHCP. Over
# the first one the root file system is reached, and the boot has given it another address, 10.0.0.2; on the second one sees that the manager works.

# serve SETUP: a system in which that command line has been done, and addresses for both cards.
serve() {
  server "serve_system $(printf %q "$1") tgt"
  server serve_dhcp --interface=eth1 --dhcp-range=10.0.0.50,10.0.0.60,10m --dhcp-range=10.0.1.50,10.0.1.60,10m
}

# What notes the connections of the boot, in an image.
# shellcheck disable=SC2016 # awk's
NOTE_CONNECTIONS='busybox netstat -tn | busybox awk '\''$5 ~ /:3260$/ && $6 == "ESTABLISHED" { print $4, $5 }'\'' >/run/connections-of-the-boot'

# system_start [PARAMETER...]: the machine boots by what the kernel's parameters say, as our hooks do.
system_start() {
  initramfs <<<"iscsi-admin boot connect --if-configured
$NOTE_CONNECTIONS"
  system_goes_on "$@"
}
# system_goes_on [PARAMETER...]: the same with the image that there is.
system_goes_on() {
  diskless_start ip=10.0.0.2::10.0.0.1:255.255.255.0:diskless:eth0:off rd.iscsi.initiator=iqn.2026-11.org.example:boot \
    "netroot=iscsi:10.0.0.1:::1:$IQN" "$@"
}

# system_is_whole: all of its units have started, and the manager has set up the second card.
system_is_whole() {
  wait_until 90 system_has_started
  expect_equal running "$(in_root 'systemctl is-system-running; systemctl --failed --no-legend --plain')"
  wait_until 30 second_card_is_up
}
system_has_started() { in_root systemctl is-system-running | grep -E '^(running|degraded)$'; }
second_card_is_up() { addresses_of eth1 | grep -E '^10\.0\.1\.5[0-9]/24$'; }
addresses_of() { diskless ip -o -4 address show dev "$1" | awk '{ print $4 }'; }

# first_card_has_seen REGEX: a change of it since the start of the system, as `ip monitor` has it.
first_card_has_seen() { diskless "grep -E $(printf %q "$1") /run/monitor"; }

# expect_left_alone: the first card is as the boot has left it, and was so all the time; the session goes on, and the disk is read.
expect_left_alone() {
  expect_equal 10.0.0.2/24 "$(addresses_of eth0)"
  # That it is up may be told again.
  expect_equal '' "$(diskless "sed -E '/^2: eth0: <[^>]*,UP,LOWER_UP>/d' /run/monitor")"
  expect_adopted
  expect_data
}

# expect_check REGEX: what the check of a boot says of the shutdown. It finds no image, as the machine has come up by a small one of ours.
expect_check() { expect_match "$1" "$(in_root 'iscsi-admin boot check || [ $? = 1 ]')"; }

# system_ends_whole [poweroff|reboot]: as ends_whole. When all is unmounted but the root file system, connection and address are still those of the boot.
system_ends_whole() {
  local connection said
  connection=$(diskless cat /run/connections-of-the-boot)
  [[ -n $connection ]] || fail 'the connection of the boot is not known'
  write_data
  diskless_ends "$@"
  for said in 'the disk is read' "connected: $connection" 'address: eth0 10.0.0.2/24'; do
    console_has "^stop: $said" >/dev/null || fail "it does not say at the end: $said"
  done
  expect_written tgt
}
