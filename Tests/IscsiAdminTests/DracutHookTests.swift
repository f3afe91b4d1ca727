// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// The hooks of dracut by themselves, with a made-up dracut around them; what a real one makes of them is seen in the boot tests.
@Suite("Hooks of dracut")
struct DracutHookTests {
  /// What dracut has of its own, after the command line, in `$PREFIX` in the place of the root; programs are in its `bin`.
  private static let dracut = """
    mkdir -p "$PREFIX/run" "$PREFIX/proc" "$PREFIX/bin"
    PATH=$PREFIX/bin:$PATH
    program() { printf '#!/bin/sh\\n%s\\n' "$2" >"$PREFIX/bin/$1"; chmod +x "$PREFIX/bin/$1"; }
    getargs() {
      for word in $COMMAND_LINE; do case "$word" in "${1%=}="*) echo "${word#*=}" ;; esac; done
    }
    getarg() { value=$(getargs "$1" | tail -n 1); echo "$value"; [ -n "$value" ]; }
    getargnum() { value=$(getarg "$4"); echo "${value:-$1}"; }
    getargbool() { value=$(getarg "$2"); [ "${value:-$1}" = 1 ]; }
    wait_for_dev() { echo "waits for $2"; }
    warn() { echo "Warning: $*"; }
    export PREFIX
    program udevadm true

    """

  /// Runs a script that sources hooks from `$HOOKS`, and returns what it has printed.
  private func run(_ script: String, commandLine: String = "") throws -> String {
    let folder = FilePath("/tmp/iscsikit-dracut-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let file = try TemporaryFile("exec >\"$PREFIX/printed\" 2>&1\n" + Self.dracut + script + "\n")
    let status = try TestProcess.run(
      ["/bin/sh", file.path.string],
      adding: [
        "PREFIX=\(folder)", "HOOKS=\(Golden.root)/initramfs/dracut/95iscsi-admin", "COMMAND_LINE=\(commandLine)",
      ])
    #expect(status == 0)
    return try Golden.contents(folder.string + "/printed")
  }

  // MARK: - Whose root file system it is

  /// What the hook for parameters makes of a command line, where `boot show` has no target.
  private func claim(_ commandLine: String, before: String = "", plan: NothingToBoot = nothing) throws -> String {
    try run(
      """
      program iscsi-admin "exit \(plan.exitStatus.rawValue)"
      \(before)
      . "$HOOKS/parse-iscsi-admin.sh"
      echo "root=$root rootok=$rootok"
      """, commandLine: commandLine)
  }

  private static let nothing = NothingToBoot(BootPlan(BootPlan.Input(parameters: BootParameters())))

  private static let claimed = "waits for /dev/root\nroot=block:/dev/root rootok=1\n"

  @Test(
    "What names a disk on iSCSI is claimed",
    arguments: [
      "root=iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk", "netroot=iscsi:10.0.0.1:::2:iqn.2026-11.org.example:disk",
      "root=dhcp netroot=iscsi:10.0.0.1:::2:iqn.2026-11.org.example:b", "root=iscsi", "netroot=iscsi", "root=dhcp",
      "netroot=dhcp", "rd.iscsi.firmware=1",
    ])
  func claims(_ commandLine: String) throws {
    #expect(try claim(commandLine) == Self.claimed)
  }

  @Test(
    "A root file system of somebody else is left to him",
    arguments: [
      ("", ""), ("quiet rw", ""),
      ("root=LABEL=root netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk", "LABEL=root"),
      ("root=nfs:10.0.0.1:/export", "nfs:10.0.0.1:/export"), ("netroot=nfs:10.0.0.1:/export", ""),
    ])
  func leaves(_ commandLine: String, _ root: String) throws {
    #expect(try claim(commandLine) == "root=\(root) rootok=\n")
  }

  @Test(
    "Without root= the program knows whether the image's file or the firmware ask for iSCSI, even if for what cannot be"
  )
  func asksTheProgram() throws {
    #expect(try claim("", before: "program iscsi-admin 'exit 0'") == Self.claimed)
    let wrong = BootParameters(KernelCommandLine("netroot=iscsi:nowhere"))
    #expect(try claim("", plan: NothingToBoot(BootPlan(BootPlan.Input(parameters: wrong)))) == Self.claimed)
    let other = try claim("root=LABEL=root", before: "program iscsi-admin 'exit 0'")
    #expect(other == "root=LABEL=root rootok=\n")
  }

  @Test("What a DHCP server names is for the module that knows it", arguments: ["nfsroot", "nbdroot", "cifsroot"])
  func leavesServer(_ handler: String) throws {
    let module = "program \(handler) true"
    #expect(try claim("root=dhcp", before: module) == "root=dhcp rootok=\n")
    #expect(try claim("netroot=dhcp", before: module) == "root= rootok=\n")
    // dracut's module network has got the answer, and asks who takes it.
    let answered = module + "; netroot=iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk"
    #expect(try claim("root=dhcp", before: answered) == Self.claimed)
  }

  // MARK: - Which disk it is

  /// The rules that are there after a login that tells these disks.
  private func rules(root: String, disks: String, status: Int = 0) throws -> String {
    try run(
      """
      echo 5.00 1.00 >"$PREFIX/proc/uptime"
      program udevadm 'echo "udevadm $1"'
      program iscsi-admin '[ -z "\(disks)" ] || printf "%s\\n" \(disks) >"$5"; echo "$4"; exit \(status)'
      root=\(root) main_loop=0
      . "$HOOKS/connect-iscsi-admin.sh"
      cat "$PREFIX"/etc/udev/rules.d/* 2>/dev/null || true
      """)
  }

  @Test("/dev/root is the disk that the login tells, and no other", arguments: ["block:/dev/root", "dhcp", ""])
  func names(_ root: String) throws {
    let rule = """
      --disk-file
      udevadm control
      udevadm trigger
      udevadm settle
      ENV{DEVTYPE}=="disk", SYMLINK=="disk/by-path/*-iscsi-iqn.2026-11.org.example:disk-lun-2", SYMLINK+="root"

      """
    let disk = "iscsi-iqn.2026-11.org.example:disk-lun-2"
    #expect(try rules(root: root, disks: disk) == rule)
    // Another target may be what is missed.
    #expect(try rules(root: root, disks: disk, status: 8) == rule.replacing("udevadm settle\n", with: ""))
    let ways = try rules(root: root, disks: "iscsi-iqn.a:b-lun-0 iscsi-iqn.a:c-lun-0")
    #expect(ways.contains("*-iscsi-iqn.a:b-lun-0\"") && ways.contains("*-iscsi-iqn.a:c-lun-0\""))
  }

  @Test("Nothing is named where root= names a device, or no disk is known")
  func namesNothing() throws {
    let settled = "--disk-file\nudevadm settle\n"
    #expect(try rules(root: "block:/dev/disk/by-label/root", disks: "iscsi-iqn.a:b-lun-0") == settled)
    #expect(try rules(root: "block:/dev/root", disks: "") == settled)
  }

  // MARK: - For how long it is tried

  /// dracut's loop until it gives up, with a login that does this.
  private func loop(_ login: String, commandLine: String, afterRound: String = ":") throws -> [String: Int] {
    let printed = try run(
      """
      echo 1000 >"$PREFIX/uptime"
      : >"$PREFIX/tried"
      uptime() { echo "$(cat "$PREFIX/uptime").50 0.00" >"$PREFIX/proc/uptime"; }
      program iscsi-admin '
        takes() {
          echo $(($(cat "$PREFIX/uptime") + $1)) >"$PREFIX/uptime"
          echo "$(cat "$PREFIX/uptime").50 0.00" >"$PREFIX/proc/uptime"
        }
        echo "$*" >>"$PREFIX/tried"
        [ "$6" = --timeout ] && seconds=$7 || seconds=900
        echo "iscsi-admin: login to a target failed: connection refused" >&2
        \(login)'
      uptime
      RDRETRY=$(getargnum 180 0 86400 rd.retry)
      RDRETRY=$((RDRETRY * 2))
      main_loop=0 rounds=0
      while :; do
        . "$HOOKS/connect-iscsi-admin.sh" >/dev/null 2>&1
        rounds=$((rounds + 1)) main_loop=$((main_loop + 1))
        # A round takes half a second, and the clock shows whole ones.
        if [ $((rounds % 2)) = 0 ]; then
          echo $(($(cat "$PREFIX/uptime") + 1)) >"$PREFIX/uptime"
          uptime
        fi
        \(afterRound)
        [ $main_loop -le $RDRETRY ] && [ $rounds -lt 2000 ] || break
      done
      echo "seconds=$(($(cat "$PREFIX/uptime") - 1000)) rounds=$rounds tries=$(wc -l <"$PREFIX/tried")"
      . "$HOOKS/tell-iscsi-admin.sh"
      """, commandLine: commandLine)
    #expect(printed.contains("Warning: iscsi-admin: login to a target failed: connection refused\n"))
    let words = printed.prefix { $0 != "\n" }.split(separator: " ").map { $0.split(separator: "=") }
    return Dictionary(words.map { (String($0[0]), Int($0[1]) ?? -1) }) { first, _ in first }
  }

  @Test(
    "A target that does not answer takes the time that dracut has, or else the login's own, and no more",
    arguments: [
      ("rd.retry=20", 20), ("rd.retry=300 rd.timeout=400", 300), ("rd.retry=3", 10), ("rd.timeout=600", 600),
      ("quiet", 900),
    ])
  func gives(_ commandLine: String, _ seconds: Int) throws {
    let loop = try loop("takes \"$seconds\"; exit 8", commandLine: commandLine)
    #expect(loop["seconds"] == seconds)
    #expect(loop["tries"] == 1)
  }

  @Test(
    "A login that is refused at once is tried again in ten seconds of dracut's time, which is not cut short by that")
  func refused() throws {
    let loop = try loop("exit 24", commandLine: "")
    #expect(loop == ["seconds": 180, "rounds": 361, "tries": 19])
  }

  @Test("A login that was refused is tried again in ten seconds also if dracut begins to count anew")
  func recounted() throws {
    // As it does where udev is busy at the end of its time.
    let loop = try loop("exit 24", commandLine: "rd.retry=60", afterRound: "[ $rounds != 100 ] || main_loop=0")
    #expect(loop == ["seconds": 110, "rounds": 221, "tries": 12])
  }

  // MARK: - What mounts it

  @Test(
    "Only where nobody else does is the disk mounted by us",
    arguments: [
      ("block:/dev/root", "1", true), ("block:/dev/root", "", false), ("dhcp", "", true), ("dhcp", "1", true),
      ("block:/dev/sda1", "1", false),
    ])
  func mounts(_ root: String, _ systemd: String, _ wanted: Bool) throws {
    let printed = try run(
      """
      ismounted() { echo "asks for $1"; }
      root=\(root) NEWROOT=/sysroot DRACUT_SYSTEMD=\(systemd)
      . "$HOOKS/mount-iscsi-admin.sh"
      """)
    #expect(printed == (wanted ? "asks for /sysroot\n" : ""))
  }

  @Test("Who leaves the emergency shell gets another login; one that has come to its end is the last")
  func again() throws {
    let printed = try run(
      """
      echo 5.00 1.00 >"$PREFIX/proc/uptime"
      program iscsi-admin 'echo "$3 $6 $7" >>"$PREFIX/tried"; echo told >&2; [ $(wc -l <"$PREFIX/tried") = 2 ]'
      RDRETRY=40 main_loop=41
      for round in $(seq 30); do
        . "$HOOKS/connect-iscsi-admin.sh"
        main_loop=$((main_loop + 1))
        echo "$((5 + round / 2)).00 1.00" >"$PREFIX/proc/uptime"
      done
      cat "$PREFIX/tried"
      . "$HOOKS/tell-iscsi-admin.sh"
      """, commandLine: "rd.retry=20")
    #expect(
      printed == """
        told
        told
        --if-configured --timeout 10
        --if-configured --timeout 10

        """)
  }
}
