# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A systemd in scenarios, with the units of the machine.

UNITS=/etc/systemd/system

# systemd_start: as the first process of a PID namespace, which ends with it. It takes the machine for a container and leaves
# devices, modules and the network alone.
systemd_start() {
  # What it raises for the whole machine.
  sysctl fs.file-max net.unix.max_dgram_qlen >"$WORK/sysctl"
  container=other unshare --pid --fork --mount-proc /lib/systemd/systemd --unit=multi-user.target --show-status=no \
    </dev/null >"$OUT/systemd.log" 2>&1 &
  NAMESPACE=$!
  # Its end is not worth a notice of the shell's.
  disown
  wait_until 20 pidof systemd
  SYSTEMD=$(pidof systemd)
  trap systemd_end EXIT
  wait_until 60 systemctl is-system-running
}

# inside COMMAND...: runs it where systemd's numbers of processes are valid.
inside() { nsenter -t "$SYSTEMD" -m -p "$@"; }
systemctl() { inside /bin/systemctl "$@"; }
journal() { inside /bin/journalctl --quiet --no-pager --output=short-monotonic "$@"; }

# systemd_end: nothing of it is left, whatever the scenario came to.
systemd_end() {
  journal >"$OUT/journal" || true
  kill -9 "$SYSTEMD" || true
  wait_until 20 process_ended "$NAMESPACE"
  # Control groups outlive their processes and every mount of their file system.
  mkdir -p "$WORK/cgroup"
  mount -t cgroup2 cgroup2 "$WORK/cgroup"
  find "$WORK/cgroup" -mindepth 1 -depth -type d -exec rmdir {} +
  umount "$WORK/cgroup"
  sysctl -p "$WORK/sysctl" >/dev/null
  rm -rf /run/{systemd,credentials,log} "$UNITS"/*.wants
}
