# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the server of diskless machines can do, besides targets.sh and faults.sh. Each call is a shell of its own: what is to last is in files.
# eth0 and eth1 lead to the diskless machine's cards: 10.0.0.1, fd00:0::1 and 10.0.1.1, fd00:1::1.

OUT=/out WORK=/tmp/work PATIENCE=${PATIENCE:-1}
# shellcheck source=Tests/VM/lib.sh
source /vm/lib.sh
# shellcheck source=Tests/VM/network.sh
source /vm/network.sh
# shellcheck source=Tests/VM/targets.sh
source /vm/targets.sh
# shellcheck source=Tests/VM/faults.sh
source /vm/faults.sh
set -o pipefail

# The targets are in the machine's own network, not in one beside it.
in_target() { "$@"; }
network_up() { :; }

# serve_root KIND [OPTION...]: a target whose first disk has the root file system; options as target_start's, --name above all.
serve_root() { serve_copy /dev/vda '' "$@"; }
# serve_system SETUP KIND [OPTION...]: the same with the root file system of a real system, in which SETUP, a command line, is done before.
serve_system() { serve_copy /dev/vdc "$@"; }
# serve_copy DISK SETUP KIND [OPTION...]
serve_copy() {
  local disk=$1 setup=$2 kind=$3 name=$IQN number status
  shift 3
  number=$(first_lun "$kind")
  [[ ${1:-} != --name ]] || name=$2
  mkdir -p "$TARGET_FILES"
  cp "$disk" "$(backing_file "$name" "$number")"
  if [[ -n $setup ]]; then
    mkdir -p /tmp/mounted
    mount -o loop "$(backing_file "$name" "$number")" /tmp/mounted || return
    status=0
    # A shell of its own, as no other one ends at a failure within a condition.
    (cd /tmp/mounted && exec bash -ec "$setup") || status=$?
    umount /tmp/mounted && ((status == 0)) || return 1
  fi
  target_start "$kind" "$@" --lun $(($(stat -c %s "$(backing_file "$name" "$number")") >> 20))
}

# listen_too PORTAL: tgt answers there as well.
listen_too() { tgtadm_iscsi --op new --mode portal --param "portal=$1"; }

# root_file KIND [NAME]: the file of that disk.
root_file() { backing_file "${2:-$IQN}" "$(first_lun "$1")"; }

# check_root KIND [NAME]: the file system has been left as it should be: no journal to play back, nothing to repair.
check_root() {
  local file
  file=$(root_file "$@")
  dumpe2fs -h "$file" 2>/dev/null | grep -E '^Filesystem (state|features)'
  dumpe2fs -h "$file" 2>/dev/null | grep -q '^Filesystem state: *clean$' || fail 'the file system is not clean'
  ! dumpe2fs -h "$file" 2>/dev/null | grep -q needs_recovery || fail 'the journal was not closed'
  e2fsck -fn "$file" >"$WORK/e2fsck" 2>&1 || fail "the file system has errors: $(cat "$WORK/e2fsck")"
}

# serve_dhcp OPTION...: dnsmasq with these options of its own on the first card, in the foreground, so that its log can be read.
serve_dhcp() {
  echo 'dnsmasq:x:100:65534::/:/bin/sh' >>/etc/passwd
  mkdir -p /var/lib/misc
  setsid dnsmasq --no-daemon --log-dhcp --user=root --port=0 --interface=eth0 --bind-interfaces --dhcp-leasefile=/tmp/leases \
    --dhcp-authoritative "$@" </dev/null >/out/dnsmasq.log 2>&1 &
  echo $! >/run/dnsmasq.pid
  wait_until 10 grep -q 'DHCP, ' /out/dnsmasq.log
}

# serve_files SCRIPT: kernel and initramfs by HTTP, the latter with what the host has put into /tmp/addition.cpio, and for iPXE a script by TFTP.
serve_files() {
  mkdir -p /tmp/served
  tar -x -C /tmp/served -f /dev/vdb
  [[ ! -e /tmp/addition.cpio ]] || cat /tmp/addition.cpio >>/tmp/served/initramfs
  printf '%s\n' "$1" >/tmp/served/boot.ipxe
  setsid busybox httpd -f -p 10.0.0.1:80 -h /tmp/served </dev/null >/out/httpd.log 2>&1 &
  echo $! >/run/httpd.pid
}

# cut / restore [WIRE]: nothing comes through any more, while the diskless machine keeps its carrier.
cut() { ip link set "eth${1:-0}" down; }
restore() { ip link set "eth${1:-0}" up; }

# clean: nothing of a scenario is left.
clean() {
  local process link
  for process in dnsmasq httpd; do
    [[ ! -e /run/$process.pid ]] || kill -9 "$(</run/$process.pid)" 2>/dev/null
    rm -f /run/$process.pid
  done
  target_stop
  for link in /sys/class/net/*; do
    case ${link##*/} in
      lo) ;;
      eth[01]) restore "${link##*/eth}" ;;
      *) ip link delete "${link##*/}" ;;
    esac
  done
  rm -rf /tmp/* /out/*
  mkdir -p "$WORK"
}
