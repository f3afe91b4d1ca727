// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// An archive as an initramfs image has it.
func testArchive(_ files: KeyValuePairs<String, String>) -> [UInt8] {
  var octets: [UInt8] = []
  func pad() { octets += Array(repeating: 0, count: -octets.count & 3) }
  func hexadecimal(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
  for (name, text) in Array(files) + [(key: "TRAILER!!!", value: "")] {
    let mode = name.hasSuffix("/") ? 0o040755 : name.contains("bin/") ? 0o100755 : 0o100644
    let plain = name.hasSuffix("/") ? String(name.dropLast()) : name
    let fields = [1, mode, 0, 0, 1, 0, text.utf8.count, 0, 0, 0, 0, plain.utf8.count + 1, 0]
    octets += Array(("070701" + fields.map(hexadecimal).joined()).utf8) + Array(plain.utf8) + [0]
    pad()
    octets += Array(text.utf8)
    pad()
  }
  return octets
}

@Suite("Initramfs images", .timeLimit(.minutes(1)))
struct InitramfsImageTests {
  @Test("Names and wanted texts are read whatever the pieces", arguments: [1, 3, 110, 4096, 1_000_000])
  func pieces(size: Int) {
    let archive = testArchive([
      "./usr/": "", "usr/bin/a": String(repeating: "x", count: 5000), "/etc/b": "text\n", "etc/c": "no",
    ])
    let octets = archive + [UInt8](repeating: 0, count: 512) + testArchive(["d": ""])
    var reader = CPIOReader { $0 == "etc/b" }
    for start in stride(from: 0, to: octets.count, by: size) {
      let isTaken = reader.feed(octets[start..<min(start + size, octets.count)])
      #expect(isTaken)
    }
    #expect(reader.names == ["usr", "usr/bin/a", "etc/b", "etc/c", "d"] && reader.texts == ["etc/b": "text\n"])
    #expect(reader.foreign == nil && reader.length == octets.count)
  }

  @Test("Where something else begins is told by its place")
  func foreign() {
    let archive = testArchive(["kernel/x86/microcode/a.bin": "1234567"]) + [0, 0, 0, 0]
    var reader = CPIOReader { _ in false }
    let isTaken = reader.feed((archive + [0x1F, 0x8B, 8, 0, 1, 2, 3])[...])
    #expect(!isTaken)
    #expect(reader.length == archive.count && reader.foreign?.prefix(2) == [0x1F, 0x8B])
  }

  @Test(
    "Headers that cannot be end the reading",
    arguments: [
      "07070100000001zzzzzzzz", "nonsense", "070701" + String(repeating: "F", count: 104),
      "070701" + String(repeating: "0", count: 104),
    ])
  func malformed(text: String) {
    var reader = CPIOReader { _ in true }
    let octets = Array(text.utf8) + Array(repeating: UInt8(ascii: "0"), count: 200)
    let isTaken = reader.feed(octets[...])
    #expect(!isTaken && reader.names.isEmpty && reader.foreign != nil)
  }

  /// What gzip makes of a file.
  private func gzip(_ plain: FilePath) throws -> [UInt8] {
    var packed: [UInt8] = []
    var program = Program(["/bin/gzip", "-c"])
    let input = try FileDescriptor.open(plain, .readOnly)
    program.input = input
    _ = try program.run(until: .now + .seconds(10)) {
      packed += $0
      return false
    }
    try input.close()
    return packed
  }

  private func file(_ octets: [UInt8], _ name: String = "image") throws -> FilePath {
    let folder = FilePath("/tmp/iscsikit-image-\(UInt64.random(in: 0...UInt64.max))")
    try AtomicFile.makeDirectory(folder)
    try AtomicFile.write(octets, to: folder.appending(name))
    return folder.appending(name)
  }

  private func remove(_ path: FilePath) throws {
    _ = try Program(["/bin/rm", "-rf", path.removingLastComponent().string]).run(until: .now + .seconds(5))
  }

  @Test("An archive before a compressed one is read, and that one by its program")
  func compressed() throws {
    let plain = try file(
      testArchive([
        "usr/sbin/iscsi-admin": "x", "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:a\n",
        "scripts/functions": "", "usr/lib/modules/6/kernel/drivers/scsi/iscsi_tcp.ko.zst": "",
        "usr/lib/modules/6/crc-t10dif.ko": "", "usr/lib/x/libiscsi.ko": "", "lib/modules/5/sd_mod.ko": "",
      ]))
    let packed = try gzip(plain)
    let path = try file(testArchive(["kernel/early": "12345"]) + [UInt8](repeating: 0, count: 300) + packed)
    let image = try InitramfsImage(reading: path, until: .now + .seconds(20))
    #expect(image.names.contains("kernel/early") && image.hasProgram("iscsi-admin") && !image.hasProgram("iscsistart"))
    #expect(image.modules(of: "6") == ["iscsi_tcp", "crc_t10dif"] && image.generator == .initramfsTools)
    #expect(image.kernels == ["5", "6"] && !image.listsModules(of: "6"))
    #expect(image.texts["etc/iscsi/initiatorname.iscsi"]?.contains("example:a") == true)
    try remove(plain)
    try remove(path)
  }

  @Test("An image that is cut off is none, and one with something behind it is one")
  func cutOff() throws {
    let plain = try file(testArchive(["usr/sbin/iscsi-admin": String(repeating: "abc", count: 9000), "etc/a": "b"]))
    let packed = try gzip(plain)
    let short = try file(Array(packed.prefix(packed.count - 20)))
    #expect(throws: InitramfsImageError.cutOff(short)) {
      try InitramfsImage(reading: short, until: .now + .seconds(20))
    }
    let long = try file(packed + testArchive(["later": "x"]))
    #expect(try InitramfsImage(reading: long, until: .now + .seconds(20)).hasProgram("iscsi-admin"))
    for path in [plain, short, long] { try remove(path) }
  }

  @Test("An archive that is cut off anywhere is told, compressed or not, and so is one after another")
  func cutOffArchive() throws {
    let whole = testArchive(["usr/sbin/iscsi-admin": String(repeating: "abc", count: 900), "etc/a": "b"])
    // In a file, in a name, in a header and before the end.
    for length in [300, 115, 2900, 3050, whole.count - 60, whole.count - 125] {
      let short = try file(Array(whole.prefix(length)))
      #expect(throws: InitramfsImageError.self, "\(length) of \(whole.count)") {
        try InitramfsImage(reading: short, until: .now + .seconds(5))
      }
      try remove(short)
    }
    let half = try file(Array(whole.prefix(2000)))
    let packed = try file(try gzip(half))
    let second = try file(whole + Array(whole.prefix(2000)))
    for path in [half, packed, second] {
      #expect(throws: InitramfsImageError.cutOff(path)) {
        try InitramfsImage(reading: path, until: .now + .seconds(20))
      }
      try remove(path)
    }
    let padded = try file(whole + [UInt8](repeating: 0, count: 512))
    #expect(try InitramfsImage(reading: padded, until: .now + .seconds(5)).hasProgram("iscsi-admin"))
    try remove(padded)
  }

  @Test("A program that is empty or may not be executed is none; one with its contents under another name is one")
  func programs() throws {
    func archive(_ name: String, mode: String, links: String = "00000001", _ text: String) -> [UInt8] {
      var octets = testArchive([name: text])
      octets.replaceSubrange(14..<22, with: Array(mode.utf8))
      octets.replaceSubrange(38..<46, with: Array(links.utf8))
      return octets
    }
    let name = "usr/sbin/iscsi-admin"
    for (octets, fault) in [
      (archive(name, mode: "000081ed", "x"), nil), (archive(name, mode: "000081ed", ""), .empty),
      (archive(name, mode: "000081ed", links: "00000002", ""), nil),
      (archive(name, mode: "000081a4", "x"), .notExecutable),
      (archive(name, mode: "0000a1ff", "iscsi"), nil), (archive(name, mode: "000041ed", ""), .notRegular),
      (archive(name, mode: "000081a4", "x") + testArchive([name: "x"]), nil),
    ] as [([UInt8], InitramfsImage.ProgramFault?)] {
      let path = try file(octets)
      let image = try InitramfsImage(reading: path, until: .now + .seconds(5))
      #expect(
        image.names.contains(name) && image.faults[name] == fault && image.hasProgram("iscsi-admin") == (fault == nil))
      try remove(path)
    }
  }

  @Test("A file without an end is given up at the deadline")
  func endless() {
    #expect(throws: InitramfsImageError.unreadable("/dev/zero", .timedOut)) {
      try InitramfsImage(reading: "/dev/zero", until: .now + .milliseconds(200))
    }
  }

  @Test("What is around the files of an image is told in the place of what it lacks")
  func enclosed() throws {
    let unified = try file(Array("MZ".utf8) + [UInt8](repeating: 1, count: 300))
    #expect(throws: InitramfsImageError.enclosed(unified, "a unified kernel image")) {
      try InitramfsImage(reading: unified, until: .now + .seconds(5))
    }
    let squashed = try file(testArchive(["usr/lib/dracut/x": "", "squashfs-root.img": "hsqs"]))
    #expect(throws: InitramfsImageError.enclosed(squashed, "squashfs-root.img")) {
      try InitramfsImage(reading: squashed, until: .now + .seconds(5))
    }
    for path in [unified, squashed] { try remove(path) }
  }

  @Test("What is no image, or none that is there, is an error that names it")
  func failures() throws {
    let path = try file(Array("#!/bin/sh\n".utf8) + [UInt8](repeating: 1, count: 300))
    #expect(throws: InitramfsImageError.malformed(path)) {
      try InitramfsImage(reading: path, until: .now + .seconds(5))
    }
    try remove(path)
    #expect(throws: InitramfsImageError.unreadable(path, .noSuchFileOrDirectory)) {
      try InitramfsImage(reading: path, until: .now + .seconds(5))
    }
    let empty = try file([])
    #expect(throws: InitramfsImageError.malformed(empty)) {
      try InitramfsImage(reading: empty, until: .now + .seconds(5))
    }
    try remove(empty)
  }

  @Test("Generators are known by what they leave in their images")
  func generators() {
    func generator(_ names: Set<String>) -> InitramfsImage.Generator? {
      InitramfsImage(path: "/i", names: names).generator
    }
    #expect(generator(["usr/lib/dracut/hooks/x"]) == .dracut && generator(["init_functions"]) == .mkinitcpio)
    #expect(generator(["init"]) == nil)
  }

  @Test("Modules are in the kernel, in a file, or nowhere, and need others")
  func modules() {
    let modules = KernelModules(
      dependencies:
        "kernel/drivers/scsi/iscsi_tcp.ko.xz: kernel/drivers/scsi/libiscsi-tcp.ko.xz kernel/drivers/scsi/libiscsi.ko.xz\n"
        + "kernel/drivers/scsi/libiscsi-tcp.ko.xz: kernel/drivers/scsi/libiscsi.ko.xz\nkernel/drivers/scsi/libiscsi.ko.xz:\nx\n",
      builtIn: "kernel/drivers/scsi/sd_mod.ko\n")
    #expect(modules.place(of: "sd_mod") == .builtIn && modules.place(of: "libiscsi_tcp") == .file)
    #expect(modules.place(of: "x") == .missing)
    #expect(modules.closure(of: ["iscsi_tcp", "sd_mod", "none"]) == ["iscsi_tcp", "libiscsi_tcp", "libiscsi"])
    #expect(KernelModules.name(ofFile: "a/b.ko.html") == nil && KernelModules.name(ofFile: "a/b.c") == nil)
  }
}
