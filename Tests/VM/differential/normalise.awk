# SPDX-License-Identifier: Apache-2.0
# What may differ between two runs of the same command lines, or cannot be alike in two programs; everything else counts. Each
# transcript FILE is written anew as FILE.new.

# put LINE: to the new transcript; what two lines of the reference say together may be nothing.
function put(line) {
  if (held != "") {
    # It comes upon a session that another login is making or has failed to make, or does not.
    if (line ~ /^! iscsiadm: could not find session info for session[0-9]+$/) { held = ""; return }
    print held > out
    held = ""
  }
  if (line ~ /^! iscsiadm: could not read session targetname: [0-9]+$/) held = line
  else print line > out
}

# Rescans of several sessions run at the same time: their lines come in any order.
function put_rescans(    i, j, line) {
  for (i = 2; i <= rescans; i++) {
    line = rescan[i]
    for (j = i - 1; j > 0 && rescan[j] > line; j--) rescan[j + 1] = rescan[j]
    rescan[j + 1] = line
  }
  for (i = 1; i <= rescans; i++) put(rescan[i])
  rescans = 0
}

FNR == 1 { out = FILENAME ".new" }
/^> Rescanning session \[/ { rescan[++rescans] = $0; next }
{ put_rescans() }
# A library's own words about a module that the machine has not.
/^! libkmod: / { next }
# The library of the reference ends its messages with the place in its source.
/^! iSCSI [A-Z]*: / { sub(/ *# [a-z_]*\.c:[a-z_0-9]*\(\):[0-9]*$/, "") }
# What it calls a type is memory that nobody has set.
/^! iSCSI ERROR: Got unknown data type / { sub(/type -?[0-9]+/, "type N") }
# Statistics: how many octets and PDUs it took by then.
/^> \t[a-z_0-9]+: [0-9]+$/ { sub(/: [0-9]+$/, ": N") }
{ put($0) }
