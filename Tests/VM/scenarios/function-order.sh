# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which functions the commands run that scripts run most, into $OUT/order: for the linker, which puts them side by side. ISCSI_ADMIN must have
# its symbols, but nothing for debuggers. Of the C library's routines that are there for several processors it has those for the emulated one.
# needs: valgrind
# default: no
# limit: 900

NUMBER=0 IQN=$IQN-order
mkdir -p "$WORK/bin"
ln -s "$(type -P iscsi-admin)" "$WORK/bin/iscsiadm"
# traced ARGUMENT...: runs iscsiadm and notes what it calls. Of each call of the system that it does not know, such as openat2, valgrind has four
# lines to say; the program takes it for an old kernel then, and calls besides what it does there.
traced() {
  valgrind -q --log-file="$OUT/valgrind" --tool=callgrind --demangle=no --callgrind-out-file="$OUT/calls.$((NUMBER += 1))" \
    "$WORK/bin/iscsiadm" "$@" >/dev/null
}

target_add_many lio 16
lio_share_disk 16 8
traced --version
traced -m discovery -t sendtargets -p "$TARGET_ADDRESS"
traced -m node
traced -m node -o show
one=(-m node -T "$("$WORK/bin/iscsiadm" -m node | head -1 | cut -d' ' -f2)" -p "$TARGET_ADDRESS")
traced "${one[@]}"
traced "${one[@]}" -o update -n node.startup -v manual
traced -m node -o update -n node.session.queue_depth -v 16
traced "${one[@]}" -l
traced "${one[@]}" -R
traced -m node -l || true
for level in 0 1 2 3; do traced -m session -P "$level"; done
traced "${one[@]}" -u
traced -m node -u
traced "${one[@]}" -o delete
traced -m node -o delete

# What most of them run comes first. Of a function that calls itself, the calls within have a number behind its name.
awk '/^c?fn=\([0-9]+\) / { sub(/\047[0-9]+$/, "", $2); if (!seen[FILENAME, $2]++) count[$2]++ }
  END { for (name in count) print count[name], name }' "$OUT"/calls.* | sort -k1,1nr -k2,2 | cut -d' ' -f2 | grep -v '^[(]\|^0x' >"$OUT/order"
rm "$OUT"/calls.*
(($(wc -l <"$OUT/order") > 1000)) || fail "only $(wc -l <"$OUT/order") functions: has the executable its symbols?"
