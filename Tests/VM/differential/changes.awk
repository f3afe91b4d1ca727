# SPDX-License-Identifier: Apache-2.0
# What a command line has changed: the database's tree and the kernel's sessions beside those before it.
#   stat -c '%A %s %N' PATH... | awk -f changes.awk -v root=/etc/iscsi/ -v before=FILE -v after=FILE -v sessions=FILE
# Prints "@ + PATH" and its lines for what is new, "@ - PATH" for what is gone, "@ * PATH" and its different lines for what is
# changed. FILE after is the snapshot for the next call: a line each with the path, a tab, and the mode or a line of the file.

function take(path, line) {
  if (!(path in text)) paths[++count] = path
  text[path] = text[path] line "\n"
  print path "\t" line > after
}

# The lines of one version that the other lacks; of lines that occur several times as many as it lacks.
function only_in(mine, other, sign,    lines, others, left, i, n, found) {
  n = split(other, others, "\n")
  for (i = 1; i < n; i++) left[others[i]]++
  n = split(mine, lines, "\n")
  for (i = 1; i < n; i++) {
    if (left[lines[i]] > 0) left[lines[i]]--
    else { print "@ " sign "   " lines[i]; found = 1 }
  }
  return found
}

BEGIN {
  while ((getline line < before) > 0) {
    tab = index(line, "\t")
    path = substr(line, 1, tab - 1)
    if (!(path in old)) old_paths[++old_count] = path
    old[path] = old[path] substr(line, tab + 1) "\n"
  }
  printf "" > after
}

{
  mode = $1
  size = $2
  quoted = substr($0, length(mode) + length(size) + 3)
  path = quoted
  if (mode ~ /^l/) sub(/' -> '.*/, "", path)
  gsub(/^'|'$/, "", path)
  file = path
  sub("^" root, "", path)
  if (mode ~ /^l/) {
    sub(/^.*' -> '/, "-> ", quoted)
    sub(/'$/, "", quoted)
    take(path, quoted)
  } else take(path, "mode " mode)
  if (mode ~ /^-/) {
    octets = 0
    while ((getline line < file) > 0) {
      take(path, line)
      octets += length(line) + 1
    }
    close(file)
    if (octets != size) take(path, "\\ size " size)
  }
}

END {
  while ((getline line < sessions) > 0) take("session", line)
  for (i = 1; i <= old_count; i++) if (!(old_paths[i] in text)) print "@ - " old_paths[i]
  for (i = 1; i <= count; i++) {
    path = paths[i]
    if (!(path in old)) { print "@ + " path; only_in(text[path], "", "+") }
    else if (old[path] != text[path]) {
      print "@ * " path
      removed = only_in(old[path], text[path], "-")
      added = only_in(text[path], old[path], "+")
      # The same lines in another order.
      if (!removed && !added) only_in(text[path], "", "=")
    }
  }
}
