# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A terminal shows the sessions from second to second: their I/O, an outage as it begins and ends, as wide as the terminal is, until
# somebody presses Ctrl-C. What is printed elsewhere has lines of its own and no colours.
# targets: tgt
# kernels: 6.12
# limit: 120

target_start tgt
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS" "${QUICK[@]}"
disk=/dev/$(disk_of "$IQN")
escape=$'\e'
# shows PATTERN: the terminal has shown a line like this since the last `since`.
SEEN=0
since() { SEEN=$(stat -c %s "$OUT/screen"); }
shows() { shown | plain >"$WORK/shown" && grep -Eq "$1" "$WORK/shown"; }
shown() { tail -c +$((SEEN + 1)) "$OUT/screen"; }
plain() { sed -e "s/$escape\[[0-9]*[A-Za-z]//g" -e 's/\r//g'; }

on-terminal 24 100 iscsi-admin watch >"$OUT/screen" 2>&1 &
terminal=$!
wait_until 10 shows '^[^ ]+Z  1 session, all operational$'
wait_until 10 shows "^ *[0-9]+ +operational +flows .* ${disk#/dev/} +$IQN"
# The page is drawn in the place of the one before.
wait_until 5 grep -q "$escape\[4A" "$OUT/screen"
grep -q "$escape\[32m" "$OUT/screen" || fail 'what is well is not green on a terminal'

echo '--- I/O'
dd if="$disk" of=/dev/null bs=1M count=8 iflag=direct 2>/dev/null
wait_until 10 shows ' operational +flows +[1-9][0-9.]* [KM]iB '

echo '--- an outage'
since
target_kill tgt
wait_until 15 shows ' recovering +waits '
wait_until 5 shows '1 session, 1 not operational'
target_restart tgt
since
wait_until 20 shows ' operational +flows '
wait_until 5 shows ': operational again,'

echo '--- a narrower terminal'
since
kill -USR1 "$terminal"
# is_drawn_anew: the screen was cleared for the new width, and has a whole page since.
is_drawn_anew() {
  shown | sed -n "/$escape\[2J/,\$p" | plain >"$WORK/shown"
  [[ $(grep -c '1 session, all oper' "$WORK/shown" || true) -gt 1 ]]
}
wait_until 10 is_drawn_anew
width=$(wc -L <"$WORK/shown")
((width > 20 && width <= 50)) || fail "the widest line has $width columns"

echo '--- the end'
status=0
kill "$terminal"
wait "$terminal" || status=$?
expect_equal 0 "$status"

# Colours are for terminals, and for those who want them.
on-terminal 24 80 iscsi-admin session list >"$OUT/list" || fail 'session list fails on a terminal'
grep -q "$escape\[" "$OUT/list" || fail 'session list has no colours on a terminal'
NO_COLOR=1 on-terminal 24 80 iscsi-admin session list >"$OUT/list" || fail 'session list fails on a terminal'
! grep -q "$escape\[" "$OUT/list" || fail 'session list has colours that nobody wants'
expect_exit 0 iscsi-admin session list
! grep -q "$escape\[" "$OUT/stdout" || fail 'session list has colours in a file'

expect_exit 0 iscsi-admin logout --all
expect_nothing_left
