// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("DHCP by the client that is there", .timeLimit(.minutes(1)))
struct DHCPClientTests {
  @Test(
    "The answers of all clients are read alike",
    arguments: [
      "ip='10.0.0.9'\nmask='24'\nsubnet='255.255.255.0'\nrouter='10.0.0.1 10.0.0.3'\ndns='10.0.0.53'\nmtu='1400'\n"
        + "rootpath='iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk'",
      "new_ip_address=10.0.0.9\nnew_subnet_mask=255.255.255.0\nnew_routers='10.0.0.1 10.0.0.3'\n"
        + "new_domain_name_servers=10.0.0.53\nnew_interface_mtu=1400\n"
        + "new_root_path=iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk",
      "DEVICE='eth0'\nIPV4ADDR='10.0.0.9'\nIPV4NETMASK='255.255.255.0'\nIPV4GATEWAY='10.0.0.1,10.0.0.3'\n"
        + "IPV4DNS0='10.0.0.53'\nIPV4DNS1='0.0.0.0'\nROOTPATH='iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk'\nmtu=1400",
    ])
  func answers(text: String) throws {
    let answer = try #require(DHCPAnswer(ShellAssignments(text)))
    #expect(answer.address == IPAddress("10.0.0.9") && answer.prefixLength == 24 && answer.mtu == 1400)
    #expect(answer.routers.map(\.description) == ["10.0.0.1", "10.0.0.3"])
    #expect(answer.nameServers.map(\.description) == ["10.0.0.53"])
    #expect(answer.rootPath == "iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk")
  }

  @Test("What is malformed is as if it had not been told")
  func malformed() throws {
    #expect(DHCPAnswer(ShellAssignments("ip=nonsense")) == nil && DHCPAnswer(ShellAssignments("mask=24")) == nil)
    let answer = try #require(DHCPAnswer(ShellAssignments("ip=10.0.0.9\nmask=99\nrouter=x\nmtu=1\nrootpath=")))
    #expect(answer == DHCPAnswer(address: try #require(IPAddress("10.0.0.9")), prefixLength: 32))
  }

  @Test("What a client logs is no part of its answer")
  func log() {
    let output =
      "it's up\nip=10.0.0.7\nDHCP_BEGIN=1\nip=10.0.0.8\nDHCP_END=1\nx\nDHCP_BEGIN=1\nip=10.0.0.9\nDHCP_END=1\n'"
    let answer = DHCPScript.answer(in: output).flatMap { DHCPAnswer(ShellAssignments(String($0))) }
    #expect(answer?.address == IPAddress("10.0.0.9"))
    #expect(DHCPScript.answer(in: "DHCP_END=1\n") == nil && DHCPScript.answer(in: "DHCP_BEGIN=1\nip=10.0.0.9\n") == nil)
  }

  @Test("What another client has kept of its answer is found")
  func kept() throws {
    let tree = try SysfsTree()
    try tree.makeDirectory("run/systemd/netif/leases")
    try tree.set(
      "run/systemd/netif/leases/7",
      to: .text("ADDRESS=10.0.0.9\nNETMASK=255.255.255.0\nROUTER=10.0.0.1\nROOT_PATH=iscsi:x"))
    let answer = DHCPAnswer.kept(for: "eth0", index: 7, below: tree.root)
    #expect(answer?.rootPath == "iscsi:x" && answer?.routers.map(\.description) == ["10.0.0.1"])
    try tree.set("run/net-eth0.conf", to: .text("IPV4ADDR='10.0.0.9'\nROOTPATH='iscsi:y'"))
    #expect(DHCPAnswer.kept(for: "eth0", index: 7, below: tree.root)?.rootPath == "iscsi:y")
    #expect(DHCPAnswer.kept(for: "eth1", index: 8, below: tree.root) == nil)
  }

  @Test("The script tells what the client has got, quoted, and nothing of other events")
  func script() throws {
    let environment = ["ip": "10.0.0.9", "mask": "24", "rootpath": "it's $(here)", "PATH": "/bin", "interface": "eth0"]
    let text = DHCPScript.text(environment: environment, arguments: ["bound"])
    #expect(text.hasSuffix(DHCPScript.end) && !text.contains("PATH") && !text.contains("interface"))
    #expect(DHCPAnswer(ShellAssignments(text))?.rootPath == "it's $(here)")
    #expect(DHCPScript.text(environment: environment, arguments: ["deconfig"]) == "")
    #expect(DHCPScript.text(environment: ["reason": "PREINIT"], arguments: []) == "")
    #expect(DHCPScript.text(environment: ["reason": "BOUND", "new_ip_address": "10.0.0.9"], arguments: []) != "")
  }

  /// A folder with programs that are shell scripts.
  private struct Programs: ~Copyable {
    let folder: FilePath

    init(_ scripts: KeyValuePairs<String, String>) throws {
      folder = FilePath("/tmp/iscsikit-dhcp-\(UInt64.random(in: 0...UInt64.max))")
      try AtomicFile.makeDirectory(folder)
      for (name, text) in scripts {
        try TestProcess.makeScript(text, at: folder.appending(name).string)
      }
    }

    deinit { _ = try? Program(["/bin/rm", "-rf", folder.string]).run(until: .now + .seconds(5)) }

    var client: DHCPClient {
      DHCPClient(folder: folder.appending("run"), folders: [folder.string], script: folder.appending("script").string)
    }
  }

  @Test("udhcpc is asked once, in the foreground, and tells through its script")
  func udhcpc() async throws {
    let programs = try Programs([
      "udhcpc":
        "echo \"$@\" >$(dirname $0)/arguments; [ -n \"$ISCSI_ADMIN_DHCP\" ] && ip=10.0.0.9 $(dirname $0)/script bound",
      "script": "echo DHCP_BEGIN=1; echo ip=$ip; echo DHCP_END=1", "dhcpcd": "exit 9",
    ])
    let answer = try await programs.client.ask(on: "eth0", until: .now + .seconds(20))
    #expect(answer.address == IPAddress("10.0.0.9"))
    let arguments = try FileContents(of: programs.folder.appending("arguments"), limit: 1000).octets
    #expect(String(decoding: arguments, as: UTF8.self).hasPrefix("-f -q -n -t 6 -T 3 -i eth0 -s "))
  }

  /// A server's message with these options.
  private func message(_ options: [UInt8], address: [UInt8] = [10, 0, 0, 9]) -> [UInt8] {
    [2, 1, 6, 0] + [UInt8](repeating: 0, count: 12) + address + [UInt8](repeating: 0, count: 216) + [99, 130, 83, 99]
      + options
  }

  @Test("A server's message, which dhcpcd keeps, is read to its end and no further")
  func serverMessage() throws {
    let path = Array("iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk".utf8)
    let options: [UInt8] =
      [53, 1, 5, 0, 1, 4, 255, 255, 255, 0, 3, 8, 10, 0, 0, 1, 10, 0, 0, 3, 6, 4, 10, 0, 0, 53, 26, 2, 5, 120]
      + [17, UInt8(path.count)] + path + [255, 3, 4, 9, 9, 9, 9]
    let answer = try #require(DHCPAnswer(message: message(options)))
    #expect(answer.address == IPAddress("10.0.0.9") && answer.prefixLength == 24 && answer.mtu == 1400)
    #expect(answer.routers.map(\.description) == ["10.0.0.1", "10.0.0.3"])
    #expect(answer.nameServers.map(\.description) == ["10.0.0.53"])
    #expect(answer.rootPath == "iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk")
    for end in 0..<message(options).count { _ = DHCPAnswer(message: Array(message(options).prefix(end))) }
    #expect(DHCPAnswer(message: message([], address: [0, 0, 0, 0])) == nil)
    #expect(DHCPAnswer(message: [UInt8](repeating: 1, count: 300)) == nil)
    let odd = try #require(
      DHCPAnswer(message: message([1, 3, 255, 255, 255, 3, 5, 10, 0, 0, 1, 9, 26, 1, 5, 17, 2, 0xC3, 0x28])))
    #expect(odd.prefixLength == 32 && odd.routers.count == 1 && odd.mtu == nil && odd.rootPath == nil)
  }

  @Test("dhclient does not stay when it has an answer")
  func dhclient() async throws {
    let programs = try Programs([
      "dhclient":
        "grep -q root-path $(dirname $0)/run/dhclient.conf && echo DHCP_BEGIN=1 && echo new_ip_address=10.0.0.9 && echo DHCP_END=1; exec sleep 60"
    ])
    let answer = try await programs.client.ask(on: "eth0", until: .now + .seconds(20))
    #expect(answer.address == IPAddress("10.0.0.9"))
  }

  @Test("A client that nobody waits for any more is killed before its caller goes on")
  func cancelled() async throws {
    let programs = try Programs(["dhclient": "echo $$ >$(dirname $0)/process; sleep 30"])
    let client = programs.client
    let asking = Task { () throws(DHCPError) in try await client.ask(on: "eth0", until: .now + .seconds(60)) }
    var process: Int32?
    while process == nil {
      process = (try? FileContents(of: programs.folder.appending("process"), limit: 20)).flatMap {
        Int32(String(decoding: $0.octets, as: UTF8.self).filter(\.isNumber))
      }
      await Task.yield()
    }
    asking.cancel()
    await #expect(throws: DHCPError.cancelled) { try await asking.value }
    let path = FilePath("/proc/\(try #require(process))/stat")
    #expect((try? FileContents(of: path, limit: 1000)) == nil)
  }

  @Test("Without a client it is told which ones are looked for, and without an answer what the client said")
  func failures() async throws {
    let none = DHCPClient(folder: "/nonexistent", folders: ["/nonexistent"], script: "")
    await #expect(throws: DHCPError.noClient) { try await none.ask(on: "eth0", until: .now + .seconds(1)) }
    #expect(DHCPError.noClient.description.contains("none of udhcpc, dhcpcd, dhclient, ipconfig is in /usr/sbin"))
    let programs = try Programs(["udhcpc": "echo udhcpc: no lease, failing; exit 1"])
    await #expect(throws: DHCPError.noAnswer(device: "eth0", client: "udhcpc", "udhcpc: no lease, failing")) {
      try await programs.client.ask(on: "eth0", until: .now + .seconds(8))
    }
    let odd = try Programs(["udhcpc": "echo DHCP_END=1"])
    await #expect(throws: DHCPError.unusable(device: "eth0", client: "udhcpc")) {
      try await odd.client.ask(on: "eth0", until: .now + .seconds(20))
    }
  }
}
