// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// What dracut's module puts into an image of a machine that runs from a disk of a session.
@Suite("The module of dracut")
struct DracutModuleTests {
  /// A machine with the disk `8:0` of a session, whose address is `$SOURCE/$PREFIX_LENGTH`, with `$FLAGS`.
  private static let machine = """
    dracutsysrootdir=$ROOT initdir=$ROOT/image hostonly=yes hostonly_cmdline=yes moddir=/
    session=$ROOT/sys/devices/platform/host2/session1
    disk=$session/target2:0:0/2:0:0:$UNIT/block/sda
    connection=$session/connection1:0/iscsi_connection/connection1:0
    mkdir -p "$disk/sda1" "$connection" "$session/iscsi_session/session1" "$ROOT"/sys/{dev/block,class/net/eth0} "$ROOT"/{proc,etc/iscsi}
    ln -s "../../devices/platform/host2/session1/target2:0:0/2:0:0:$UNIT/block/sda/sda1" "$ROOT/sys/dev/block/8:1"
    echo iqn.2026-11.org.example:disk >"$session/iscsi_session/session1/targetname"
    echo iqn.2026-11.org.example:boot >"$session/iscsi_session/session1/initiatorname"
    echo "$USER_NAME" >"$session/iscsi_session/session1/username"
    echo "$PORTAL" >"$connection/persistent_address"
    echo 3260 >"$connection/persistent_port"
    echo "$MTU" >"$ROOT/sys/class/net/eth0/mtu"
    ip() {
      case $* in
        '-o route get '*) echo "$4 $VIA dev $CARD src $SOURCE uid 0 \\\\    cache" ;;
        '-o address '*) echo "2: $CARD    inet $SOURCE/24 brd 10.0.0.255 scope global $FLAGS $CARD\\\\       valid_lft forever" ;;
      esac
    }
    for_each_host_dev_and_slaves_all() { "$1" 254:0; "$1" 8:1; }
    for name in inst_multiple inst_hook inst_simple inst dracut_need_initqueue; do eval "$name() { :; }"; done
    dwarn() { echo "Warning: $*"; }
    . "$MODULE"

    """

  private func run(_ script: String, _ changes: [String: String] = [:]) throws -> String {
    let folder = FilePath("/tmp/iscsikit-dracut-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let file = try TemporaryFile("exec >\"$ROOT/printed\" 2>&1\n" + Self.machine + script + "\n")
    var environment = [
      "ROOT": folder.string, "MODULE": "\(Golden.root)/initramfs/dracut/95iscsi-admin/module-setup.sh", "UNIT": "1",
      "CARD": "eth0", "USER_NAME": "(null)", "PORTAL": "10.0.0.1", "MTU": "1500", "VIA": "", "SOURCE": "10.0.0.2",
      "FLAGS": "",
    ]
    environment.merge(changes) { $1 }
    let status = try TestProcess.run(
      ["/bin/bash", file.path.string], adding: environment.map { "\($0.key)=\($0.value)" })
    #expect(status == 0)
    return try Golden.contents(folder.string + "/printed")
  }

  @Test(
    "A session is told by the parameters that log in again, and the network as it is",
    arguments: [
      ([:], "ip=10.0.0.2:::24::eth0:none", "10.0.0.1::3260:1"),
      (["FLAGS": "dynamic"], "ip=eth0:dhcp", "10.0.0.1::3260:1"),
      (["VIA": "via 10.0.0.254", "MTU": "9000"], "ip=10.0.0.2::10.0.0.254:24::eth0:none:9000", "10.0.0.1::3260:1"),
      (["UNIT": "10"], "ip=10.0.0.2:::24::eth0:none", "10.0.0.1::3260:000a"),
      (["UNIT": "16"], "ip=10.0.0.2:::24::eth0:none", "10.0.0.1::3260:0010"),
      (["UNIT": "16650"], "ip=10.0.0.2:::24::eth0:none", "10.0.0.1::3260:410a"),
      (["UNIT": "131073"], "ip=10.0.0.2:::24::eth0:none", "10.0.0.1::3260:1-2"),
      (
        ["PORTAL": "fd00::1", "SOURCE": "fd00::2", "VIA": "via fd00::ff"], "ip=[fd00::2]::[fd00::ff]:24::eth0:none",
        "[fd00::1]::3260:1"
      ),
      (["PORTAL": "fd00::1", "SOURCE": "fd00::2", "FLAGS": "dynamic"], "ip=eth0:auto6", "[fd00::1]::3260:1"),
    ] as [([String: String], String, String)])
  func tells(_ changes: [String: String], _ network: String, _ place: String) throws {
    let printed = try run("cmdline", changes)
    #expect(
      printed == """
        \(network)
        netroot=iscsi:\(place):iqn.2026-11.org.example:disk
        rd.iscsi.initiator=iqn.2026-11.org.example:boot

        """)
    // They are what they are taken for.
    let plan = BootPlan(BootPlan.Input(parameters: BootParameters(KernelCommandLine(printed))))
    #expect(plan.problems.isEmpty && plan.logins.count == 1 && plan.links.count == 1)
    #expect(plan.disks.first?.lun.description == changes["UNIT"] ?? "1")
  }

  @Test(
    "Of a VLAN it is told what it is made of, by a name that ends with its number",
    arguments: [
      ("eth7.100", 100, "eth7.100"), ("san0005", 5, "san0005"), ("storage2", 100, "vlan100"), ("san", 7, "vlan7"),
    ])
  func vlan(_ name: String, _ number: Int, _ wanted: String) throws {
    let printed = try run(
      """
      mkdir -p "$ROOT/proc/net/vlan" "$ROOT/sys/class/net/$CARD"
      echo 1500 >"$ROOT/sys/class/net/$CARD/mtu"
      printf '%s\\n' 'VLAN Dev name	 | VLAN ID' 'Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD' >"$ROOT/proc/net/vlan/config"
      printf '%-15s| %d  | %s\\n' other2 2 eth8 "$CARD" \(number) eth7 >>"$ROOT/proc/net/vlan/config"
      cmdline
      """, ["CARD": name])
    #expect(printed.contains("vlan=\(wanted):eth7\n") && printed.contains(":24::\(wanted):none\n"))
    let plan = BootPlan(BootPlan.Input(parameters: BootParameters(KernelCommandLine(printed))))
    #expect(plan.problems.isEmpty && plan.links.first?.vlan?.number == UInt16(number))
  }

  @Test("A device that is made of others is told, as nobody makes it at the boot", arguments: ["bond", "bridge"])
  func made(_ kind: String) throws {
    let folder = kind == "bond" ? "bonding" : "bridge"
    let printed = try run("mkdir \"$ROOT/sys/class/net/eth0/\(folder)\"; cmdline")
    #expect(printed.contains("Warning: iscsi-admin: the target is reached over the \(kind) eth0, which "))
    #expect(try !run("cmdline").contains("Warning"))
  }

  @Test("An address that a server has given to the boot, which keeps it for good, is asked for again")
  func lease() throws {
    let mark =
      "mkdir \"$ROOT/run\" \"$ROOT/run/iscsi-admin\"; echo $LEASE >\"$ROOT/run/iscsi-admin/lease-eth0\"; cmdline"
    #expect(try run(mark, ["LEASE": "10.0.0.2"]).contains("ip=eth0:dhcp\n"))
    #expect(try run(mark, ["LEASE": "10.0.0.20"]).contains("ip=10.0.0.2:::24::eth0:none\n"))
    let sixth = try run(mark, ["LEASE": "fd00::2", "PORTAL": "fd00::1", "SOURCE": "fd00::2"])
    #expect(sixth.contains("ip=eth0:dhcp6\n"))
  }

  @Test("Of a wire with two ends the prefix is the one of the other end")
  func peer() throws {
    let printed = try run(
      """
      ip() {
        case $* in
          '-o route get '*) echo "10.0.0.1 dev eth0 src 10.0.0.2 uid 0" ;;
          '-o address'*) echo "2: eth0    inet 10.0.0.2 peer 10.0.0.9/32 scope global eth0" ;;
        esac
      }
      cmdline
      """)
    #expect(printed.contains("ip=10.0.0.2:10.0.0.9::32::eth0:none\n"))
    let plan = BootPlan(BootPlan.Input(parameters: BootParameters(KernelCommandLine(printed))))
    let own = try #require(IPAddress("10.0.0.2"))
    #expect(plan.links.map(\.addressing) == [.fixed(own, prefixLength: 32, peer: IPAddress("10.0.0.9"))])
  }

  @Test("The loop in which the hook runs is asked for, where it is a module of its own")
  func queue() throws {
    let base = "dracutbasedir=$ROOT/dracut; mkdir -p \"$dracutbasedir/modules.d/99base\"; "
    #expect(try run(base + "depends") == "rootfs-block\n")
    let own = try run(base + "mkdir \"$dracutbasedir/modules.d/77initqueue\"; depends")
    #expect(own == "rootfs-block\ninitqueue\n")
  }

  @Test("The name and the secrets of this machine are for an image of this machine alone", arguments: [true, false])
  func files(_ isForThisMachine: Bool) throws {
    let printed = try run(
      """
      hostonly=\(isForThisMachine ? "yes" : "")
      inst_multiple() { echo "$*"; }
      install
      """)
    #expect(printed.contains("/etc/iscsi/initiatorname.iscsi /etc/iscsi/iscsi.initramfs") == isForThisMachine)
    #expect(printed.contains("/etc/iscsi/") == isForThisMachine)
  }

  @Test("A secret is not among the parameters, which is told unless the image's file has it")
  func secret() throws {
    let printed = try run("cmdline", ["USER_NAME": "alice"])
    #expect(printed.contains("Warning: iscsi-admin: the login to iqn.2026-11.org.example:disk takes a secret"))
    let known = try run("echo ISCSI_PASSWORD=x >\"$ROOT/etc/iscsi/iscsi.initramfs\"; cmdline", ["USER_NAME": "alice"])
    #expect(!known.contains("Warning"))
  }

  @Test("What the firmware names is left to it")
  func firmware() throws {
    let printed = try run(
      """
      mkdir -p "$ROOT/sys/firmware/ibft/target0"
      echo iqn.2026-11.org.example:disk >"$ROOT/sys/firmware/ibft/target0/target-name"
      cmdline
      """)
    #expect(printed == "rd.iscsi.firmware=1\n")
  }

  @Test(
    "The image has them if nothing else tells them",
    arguments: [
      ("root=LABEL=root quiet", "", true), ("root=LABEL=root netroot=iscsi:10.0.0.1::::iqn.a:b", "", false),
      ("quiet root=dhcp", "", false), ("quiet", "ISCSI_TARGET_NAME=iqn.a:b", false),
      ("quiet", "ISCSI_PASSWORD=x", true),
    ])
  func installs(_ commandLine: String, _ settings: String, _ has: Bool) throws {
    let printed = try run(
      """
      echo '\(commandLine)' >"$ROOT/proc/cmdline"
      echo '\(settings)' >"$ROOT/etc/iscsi/iscsi.initramfs"
      install
      cat "$initdir/etc/cmdline.d/95iscsi-admin.conf" 2>/dev/null || true
      """)
    #expect(printed.contains("netroot=iscsi:10.0.0.1::3260:1:") == has)
    #expect(printed.isEmpty != has)
  }
}
