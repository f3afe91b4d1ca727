# SPDX-License-Identifier: Apache-2.0
# What may differ between two runs of the same command lines, or cannot be alike in two programs; everything else counts.

# The library of the reference ends its messages with the place in its source.
s/^\(! iSCSI [A-Z]*: .*[^ ]\)   *# [a-z_]*\.c:[a-z_0-9]*():[0-9]*$/\1/
# Statistics: how many octets and PDUs it took by then.
/^> \t[a-z_0-9]*: [0-9][0-9]*$/s/: [0-9]*$/: N/
# What it calls a type is memory that nobody has set.
s/^\(! iSCSI ERROR: Got unknown data type \)-\{0,1\}[0-9]*/\1N/
# A library's own words about a module that the machine has not.
/^! libkmod: /d
