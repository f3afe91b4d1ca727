# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# As a contrast, open-iscsi's timeouts: after two minutes the writers see errors, and the file system is lost until the next boot.
# limit: 600
# default: no

cut_with_writers 300 30
# The session comes back, and what has failed stays so.
wait_until 60 session_is LOGGED_IN
diskless '[ -s /run/writer-errors ] && head -5 /run/writer-errors' || fail 'no writer has seen an error'
diskless dmesg | grep -E 'EXT4-fs|I/O error|rejecting I/O' | tail -5
! in_root 'echo >/root/after' || fail 'the file system can be written to'
