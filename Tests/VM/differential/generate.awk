# SPDX-License-Identifier: Apache-2.0
# Random cases: awk -f generate.awk -v count=COMMAND_LINES -v seed=NUMBER. The same numbers give the same cases. What would wait long, what
# depends on the moment (-W, disks that appear, which of several sessions that are made together has which number), and what is wanted to differ (but integers,
# iface keys and records in the older form, which are marked; nodes of tgt's targets at LIO's port: it refuses what it does not have only for now) is left out.

# Lehmer's generator: all products stay below 2^53.
function below(n) {
  state = state * 16807 % 2147483647
  return int(state / 2147483647 * n)
}
function chance(percent) { return below(100) < percent }
# One of the words of a text. An option before its argument comes without a blank, in one of getopt's spellings.
function pick(words,    list, n) {
  n = split(words, list, " ")
  return list[below(n) + 1]
}

function name_option(    value) {
  value = pick("$T $T $T $T2 $T2 $T3 $TC $TM $TL $NONE")
  return pick("-T --targetname= --target=") value
}
function portal_option() {
  return pick("-p --portal= -p") pick("$P $P $P:3260 $P:3260,1 $P,7 $P2 $P2:3260 $P6 $P6:3260 fd00::1 target target:3260 $P:3261")
}
function node_portal_option(    option) {
  do option = portal_option(); while (option ~ /3261/)
  return option
}
function absent_portal() { return "-p " pick("10.0.0.9 $P:860 [fd00::9] nobody.invalid") }
function iface_option() { return pick("-I --interface=") pick("default default if0 if1 if2 if3 nosuch") }

# Some of what selects records.
function filter(    line) {
  line = ""
  if (chance(65)) line = line " " name_option()
  if (chance(45)) line = line " " portal_option()
  else if (chance(8)) line = line " " absent_portal()
  if (chance(15)) line = line " " iface_option()
  return line
}

function node_pair(    what, integer) {
  what = below(10)
  if (what < 2) return " -n node.startup -v " pick("manual automatic onboot bogus ''")
  if (what < 3) return " -n " pick("node.session.queue_depth node.session.cmds_max node.session.nr_sessions") " -v " pick("1 2 16 64 128")
  if (what < 4) return " -n " pick("node.session.iscsi.ImmediateData node.session.iscsi.InitialR2T node.leading_login") " -v " pick("Yes No yes maybe")
  if (what < 5) return " -n " pick("node.conn[0].iscsi.HeaderDigest node.conn[0].iscsi.DataDigest") " -v " pick("None CRC32C CRC32C,None None,CRC32C crc32c")
  if (what < 6) return " -n node.session.auth.authmethod -v " pick("None CHAP chap")
  if (what < 7) return " -n node.session.auth." pick("username password username_in password_in") " -v " pick("alice wonderland12 wrongwrongwrong ''")
  if (what < 8) return " -n " pick("node.session.iscsi.FirstBurstLength node.session.iscsi.MaxBurstLength node.conn[0].iscsi.MaxRecvDataSegmentLength") " -v " pick("512 4096 65536 262144 16776192")
  if (what < 9) return " -n " pick("node.nosuch node.name node.tpgt node.conn[0].address iface.mtu iface.transport_name node.conn[1].port discovery.startup") " -v " pick("1 x tcp")
  # What open-iscsi takes for a number shows in the records until the end of a group.
  integer = is_last ? pick("abc 1 1x") : 1
  if (integer != "1") mark = " ~ checked-integers"
  return " -n node.session.timeo.replacement_timeout -v " integer
}
function pairs(    line) {
  line = node_pair()
  while (chance(20)) line = line node_pair()
  if (chance(4)) line = line " -n node.startup"
  return line
}

function node_line(    what, line, name) {
  what = below(100)
  if (what < 12) return filter()
  if (what < 18) return " -P " pick("0 1 1 2") (chance(30) ? filter() : "")
  if (what < 30) return filter() " " pick("-oshow --op=show -S --show -Soshow")
  if (what < 46) return " " name_option() " " node_portal_option() (chance(25) ? " " iface_option() : "") " -o new"
  if (what < 48) return filter() " -o new"
  if (what < 64) return filter() " -o update" pairs()
  if (what < 72) return filter() " -o delete"
  if (what < 82) {
    line = chance(60) ? " " portal_option() " -Idefault" : ""
    name = name_option()
    # Which of several that fail for other reasons is told first depends on the moment.
    if (line == "" && start ~ /chap/ && name ~ /TC|TM/) line = " -p$P -Idefault"
    if (line == "") has_several = 1
    return " " name line " " pick("-l --login")
  }
  if (what < 90) return filter() " " pick("-u --logout")
  if (what < 93) return filter() " " pick("-R --rescan")
  if (what < 95) return filter() " -s"
  if (what < 97) {
    has_several = 1
    return " " pick("-L --loginall=") pick("all automatic manual onboot bogus")
  }
  if (what < 99) return " " pick("-U --logoutall=") pick("all automatic manual onboot bogus")
  return filter() " " pick("-D -l -u")
}
function session_line(    what, sid) {
  what = below(100)
  if (what < 25) return " " pick("-P0 -P1 -P2 -P5 -oshow -S")
  sid = " " pick("-r1 -r1 -r1 -r2 -r2 -r3 -r99 -r0 -rx --sid=1 -r/sys/class/iscsi_session/session1")
  if (what < 45) return sid " " pick("-P0 -P1 -P2 -S -oshow")
  if (what < 55) return (chance(80) ? sid : "") " " pick("-R --rescan")
  if (what < 63) return (chance(80) ? sid : "") " " pick("-u --logout")
  if (what < 70) return (chance(80) ? sid : "") " -s"
  if (what < 80) return (chance(90) ? sid : "") " -o new"
  if (what < 92) return (chance(90) ? sid : "") " -o update" pairs()
  if (what < 97) return (chance(90) ? sid : "") " -o delete"
  return sid " " pick("-l -W -D")
}
function iface_line(    what, who, key, value) {
  what = below(100)
  if (what < 25) return " " pick("-P0 -P1 -P2 -oshow")
  if (what < 40) return " " iface_option() (chance(50) ? " -o show" : "")
  if (what < 55) return " " iface_option() " -o new"
  # Not of the default one, with which open-iscsi deletes records of nodes.
  if (what < 65) return " -I " pick("if0 if1 if2 if3 nosuch") " -o delete"
  if (what < 70) return " " iface_option() " -o apply"
  who = iface_option()
  key = pick("net_ifacename hwaddress initiatorname transport_name ipaddress mtu vlan_id nosuch")
  # The kind of a binding cannot be changed, nor what is built in or not there.
  if (key ~ /nosuch|net_|hwaddress/ || who ~ /default|nosuch|if3/) mark = " ~ iface-errors"
  value = pick("1 1500 0")
  if (key == "net_ifacename") value = pick("san0 san1 ''")
  if (key == "hwaddress") value = pick("00:11:22:33:44:55 00:11:22:33:44:66")
  if (key == "initiatorname") value = pick("$INITIATOR_IQN-4 ''")
  if (key == "transport_name") value = "tcp"
  if (key == "ipaddress") value = pick("10.0.0.2 fd00::2")
  return " " who " -o update -n iface." key " -v " value
}
function discovery_line(mode,    what, type) {
  what = below(100)
  type = " " pick("-tst -tst -tst --type=sendtargets -tbogus")
  if (what < 15) return " " pick("-P0 -oshow -P0")
  if (what < 20) return " " portal_option()
  if (mode == "discovery") {
    if (what < 70) return type " " pick("-p$P -p$P2 -p$P6 -p$P:3261 -ptarget") (chance(20) ? " -P1" : "") (chance(20) ? " " iface_option() : "")
    return type " -p" pick("$P $P:3261") " -o " pick("new update delete nonpersistent show")
  }
  if (what < 35) return type " -p" pick("$P $P2 $P:3261") " -o new"
  if (what < 50) return type " -p" pick("$P $P2 $P:3261") " " pick("-S -oshow --op=show -P1")
  if (what < 65) return type " -p" pick("$P $P2 $P:3261") " -o delete"
  if (what < 80) return type " -p" pick("$P $P2 $P:3261") " -o update -n discovery.sendtargets." pick("auth.authmethod auth.username auth.password nosuch") " -v " pick("None 8192 alice")
  if (what < 82) return type " -p" pick("$P $P2 $P:3261") " -o update -n discovery.sendtargets.iscsi.MaxRecvDataSegmentLength -v " pick("512 8192")
  return type " -p" pick("$P $P2 $P:3261") " " pick("-D --discover") (chance(20) ? " -P1" : "") (chance(20) ? " -o " pick("new delete update nonpersistent") : "")
}

# The address of the portal that a line names, by one name for each.
function place(line) {
  if (match(line, /(-p|--portal=|-p )(\$P6|fd00::1)/)) return "P6"
  if (match(line, /(-p|--portal=|-p )\$P2/)) return "P2"
  if (match(line, /(-p|--portal=|-p )(\$P|target)/)) return "P"
  return ""
}
# Keeps in mind where records may be in the older form, and marks the discoveries that find such a node: whether it has one in the
# present form too is not known here.
function follow_older_form(line) {
  if (line ~ /3261/) return
  if (line ~ /^-m node .*(-T|--target).*(-p|--portal).* -o new$/ && line !~ /,[0-9]/) has_older[place(line)] = 1
  if (line !~ /^-m discovery/ || !(place(line) in has_older)) return
  if (line ~ /-o (nonpersistent|show)/) return
  if (line ~ /-m discoverydb/ ? line ~ /-D|--discover/ : line ~ /st -p|sendtargets -p/) mark = " ~ older-form"
}

# The line without records in the older form of an iface that users have made: of such a file, open-iscsi goes by what is asked for, and what
# it takes for a node differs in every line after that. The written cases have them.
function without_older_forms_of_ifaces(line,    where) {
  if (line !~ /^-m node .*(-I|--interface).* -o new$/ || line ~ /(-I ?|--interface=)default/ || line ~ /,[0-9]/) return line
  if (line ~ /(-T|--target)/ && line ~ /(-p|--portal)/) sub(/(-p ?|--portal=)[^ ]+/, "&,1", line)
  else for (where in has_older) { sub(/ -o new$/, " -o show", line); break }
  return line
}

# Marks the logins to nodes with more than one record of the same session, which fail: open-iscsi tells of the second what it tells of
# the first, or that the session exists, as it comes.
function follow_second_records(line) {
  if (line ~ /^-m node .*\$T[CM] .* -o new$/) has_second = 1
  else if (has_second && line ~ / (-l|--login|-L|--loginall)/) mark = " ~ login-beside-login"
}

function line_of_a_mode(    what) {
  what = below(100)
  if (what < 52) return "-m node" node_line()
  if (what < 68 && !has_several) return pick("-msession --mode=session") session_line()
  if (what < 68) return "-m node" node_line()
  if (what < 80) return "-m iface" iface_line()
  if (what < 88) return "-m discovery" discovery_line("discovery")
  if (what < 96) return "-m discoverydb" discovery_line("discoverydb")
  if (what < 98) return "-m host " pick(has_several ? "-P5" : "-P0 -P1 -P2 -H2 -P5")
  return "-m " pick("fw node session bogus") " " pick("-x1 -a10.0.0.1 -Aipv4 -P9 --bogus -S extra")
}

BEGIN {
  state = seed % 2147483646 + 1
  for (i = 0; i < 10; i++) below(2)
  states = "empty records discovered made startups ifaces,records chap logged-in old-layout ifaces,discovered logged-in,records"
  for (i = 0; i < count; i++) {
    if (i % 20 == 0) {
      has_several = has_second = 0
      start = pick(states)
      split("", has_older)
      if (start ~ /old-layout/) has_older["P"] = 1
      gsub(",", " ", start)
      printf "%s== generated-%03d: %s\n", i ? "\n" : "", i / 20 + 1, start
    }
    mark = ""
    is_last = i % 20 == 19
    line = without_older_forms_of_ifaces(line_of_a_mode())
    follow_older_form(line)
    follow_second_records(line)
    print line mark
  }
}
