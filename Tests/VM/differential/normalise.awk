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

# What is done to several sessions at a time comes in any order, and the kernel's numbers for sessions that are made together do, too:
# lines of a kind that follow each other are sorted, without these numbers.
function put_run(    i, j, line) {
  for (i = 2; i <= held_lines; i++) {
    line = run[i]
    for (j = i - 1; j > 0 && run[j] > line; j--) run[j + 1] = run[j]
    run[j + 1] = line
  }
  for (i = 1; i <= held_lines; i++) put(run[i])
  held_lines = 0
}
function kind(line) {
  if (line ~ /^> (Rescanning|Logging out of) session \[sid: |^> Logout of \[sid: /) return "session"
  if (line ~ /^> tcp: \[[0-9]+\] /) return "list"
  if (line ~ /^> New iSCSI node \[/) return "record"
  if (line ~ /^> Logging in to \[/) return "login"
  if (line ~ /^> Login to \[/) return "done"
  if (line ~ /^@ [-+]   [0-9]+ iqn/) return "change"
  # In the order in which the file system has the folders.
  if (line ~ /^! iscsiadm: Could not log(in to|out of) \[/) return "failure"
  if (line ~ /^! iscsiadm: This command will remove the record \[/) return "refusal"
  return ""
}

FNR == 1 { out = FILENAME ".new" }
# Why one has failed belongs to the line above. The status is that of the first one.
last == "failure" && /^! iscsiadm: initiator reported error \([0-9]+ / {
  run[held_lines] = run[held_lines] "\n" $0
  match($0, /\([0-9]+/)
  codes[substr($0, RSTART + 1, RLENGTH - 1)]
  next
}
{
  this = kind($0)
  if (this != last || this == "") put_run()
  last = this
}
this != "" {
  sub(/sid: [0-9]+/, "sid: N")
  sub(/tcp: \[[0-9]+\]/, "tcp: [N]")
  sub(/^@ [-+]   [0-9]+/, substr($0, 1, 5) "N")
  run[++held_lines] = $0
  next
}
# A library's own words about a module that the machine has not.
/^! libkmod: / { next }
# The library of the reference ends its messages with the place in its source.
/^! iSCSI [A-Z]*: / { sub(/ *# [a-z_]*\.c:[a-z_0-9]*\(\):[0-9]*$/, "") }
# What it calls a type is memory that nobody has set.
/^! iSCSI ERROR: Got unknown data type / { sub(/type -?[0-9]+/, "type N") }
# Whether the neighbour is given up first, or the attempt, depends on the moment.
/^! iscsiadm: connect to [^ ]+ timed out$/ { $0 = "! iscsiadm: cannot make connection to " $5 ": No route to host" }
# Statistics: how many octets and PDUs it took by then.
/^> \t[a-z_0-9]+: [0-9]+$/ { sub(/: [0-9]+$/, ": N") }
/^= / {
  told = 0
  for (code in codes) told++
  if (told > 1 && substr($0, 3) in codes) $0 = "= what one of them is told with"
  split("", codes)
}
{ put($0) }
