#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# Sourced by dracut when the cards are there, again and again until it has what it waits for or gives up: logs in, once. dracut counts the
# rounds of its loop, of half a second each, and not how long they took; so what a login has taken is added to its count.
# shellcheck disable=SC2154 # main_loop and root are dracut's

# login_seconds: how much is left of the time that the parameters give dracut. Nothing, if they give none: then the login knows best.
login_seconds() {
  local limit
  limit=$(getargnum '' 0 86400 rd.retry)
  [ -n "$limit" ] || limit=$(getargnum '' 1 86400 rd.timeout)
  [ -n "$limit" ] || return 0
  limit=$((limit - main_loop / 2))
  # Who has left the emergency shell has mended something.
  echo $((limit > 10 ? limit : 10))
}

# name_disk: /dev/root is the unit that the login has told, whatever other disks there are; not where root= names a device.
name_disk() {
  local suffix
  [ -s "${PREFIX-}/run/iscsi-admin-disk" ] || return 0
  case "${root#block:}" in
    /dev/root | dhcp | '') ;;
    *) return 0 ;;
  esac
  mkdir -p "${PREFIX-}/etc/udev/rules.d"
  while read -r suffix; do
    printf 'ENV{DEVTYPE}=="disk", SYMLINK=="disk/by-path/*-%s", SYMLINK+="root"\n' "$suffix"
  done <"${PREFIX-}/run/iscsi-admin-disk" >"${PREFIX-}/etc/udev/rules.d/99-iscsi-admin-root.rules"
  udevadm control --reload
  udevadm trigger --subsystem-match=block --action=change
}

# log_in_for_boot: what goes wrong is told on the console, and kept for the emergency shell.
log_in_for_boot() {
  local seconds began ended
  seconds=$(login_seconds)
  read -r began _ <"${PREFIX-}/proc/uptime"
  {
    {
      iscsi-admin boot connect --if-configured --disk-file "${PREFIX-}/run/iscsi-admin-disk" ${seconds:+--timeout "$seconds"} &&
        : >"${PREFIX-}/run/iscsi-admin-connected"
    } 2>&1 >&3 | tee "${PREFIX-}/run/iscsi-admin-reason" >&2
  } 3>&1
  name_disk
  if [ -e "${PREFIX-}/run/iscsi-admin-connected" ]; then
    udevadm settle --timeout=10
    return
  fi
  read -r ended _ <"${PREFIX-}/proc/uptime"
  main_loop=$((main_loop + 2 * (${ended%.*} - ${began%.*})))
  # What was refused at once is asked for again in ten seconds, by the clock: dracut begins to count anew whenever udev is busy.
  next_login=$((${ended%.*} + 10))
}

# may_log_in: whether it is time for a login, the first or another one.
may_log_in() {
  local now
  read -r now _ <"${PREFIX-}/proc/uptime"
  [ "${now%.*}" -ge "${next_login:-0}" ]
}

if [ ! -e "${PREFIX-}/run/iscsi-admin-connected" ] && may_log_in; then
  log_in_for_boot
fi
