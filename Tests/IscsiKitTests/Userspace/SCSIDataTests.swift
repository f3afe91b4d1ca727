// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

/// Octets from hexadecimal text; blanks are for the eye.
private func hex(_ text: String) -> [UInt8] {
  let digits = text.utf8.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// ASCII text, filled with blanks.
private func field(_ text: String, _ width: Int) -> [UInt8] {
  Array(text.utf8) + Array(repeating: 0x20, count: max(0, width - text.utf8.count))
}

@Suite("What logical units answer")
struct SCSIDataTests {
  private static let inquiry =
    hex("00 00 06 12 1F 10 00 02") + field("IET", 8) + field("VIRTUAL-DISK", 16) + field("0001", 4)

  @Test("Standard INQUIRY data is read")
  func inquiry() throws {
    let data = try #require(InquiryData(Self.inquiry))
    #expect((data.qualifier, data.type, data.isRemovable, data.portGroupSupport) == (0, 0, false, 1))
    #expect((data.vendor, data.product, data.revision) == ("IET", "VIRTUAL-DISK", "0001"))
    let tape = try #require(InquiryData(hex("61 80 06 12 00")))
    #expect((tape.qualifier, tape.type, tape.isRemovable, tape.portGroupSupport) == (3, 1, true, 0))
  }

  @Test("INQUIRY data that ends early tells what came, whatever its length says", arguments: 0...36)
  func truncatedInquiry(count: Int) {
    var short = Array(Self.inquiry.prefix(count))
    if count > 4 { short[4] = 0xFF }
    let data = InquiryData(short)
    #expect((data != nil) == (count >= 5))
    #expect(data?.vendor == (count < 9 ? nil : ["I", "IE", "IET"][min(count, 11) - 9]))
    #expect((data?.product != nil) == (count > 16))
    #expect((data?.revision != nil) == (count > 32))
  }

  @Test("INQUIRY data behind its own length is not read")
  func shortenedInquiry() {
    var data = Self.inquiry
    data[4] = 11
    #expect(InquiryData(data)?.vendor == "IET")
    #expect(InquiryData(data)?.product == nil)
  }

  @Test("Control characters of a target never reach a screen")
  func text() {
    #expect(hex("20 00 41 1B 5B 32 4A C3 A4 20 00").text(0..<11) == "A?[2J??")
    #expect(hex("20 20 00").text(0..<3) == nil)
    #expect([UInt8]().text(0..<8) == nil)
    #expect(hex("41").text(5..<9) == nil)
  }

  @Test(
    "A page is the one that was asked for, cut to what came",
    arguments: [
      ("00 80 00 03 414243", "ABC"), ("00 80 FFFF 4142", "AB"), ("00 80 00 02 414243", "AB"),
      ("00 80 00 00 414243", nil), ("00 80 00", nil), ("", nil), ("00 83 00 03 414243", nil),
      ("00 80 00 04 20414220", "AB"),
    ])
  func serial(data: String, serial: String?) {
    #expect(ProductDataPage(hex(data), code: 0x80)?.serialNumber == serial)
  }

  @Test("Supported pages are those that came")
  func supportedPages() {
    #expect(ProductDataPage(hex("00 00 00 10 00 80 83 B0"), code: 0)?.supportedPages == [0x00, 0x80, 0x83, 0xB0])
  }

  @Test(
    "The best identifier of the unit is chosen, others are passed over",
    arguments: [
      ("01 03 00 08 5000000000000001", DeviceIdentifier.naa("5000000000000001")),
      ("01 02 00 08 0011223344556677 01 03 00 08 5000000000000001", .naa("5000000000000001")),
      ("02 01 00 04 54455354 01 02 00 08 0011223344556677", .eui("0011223344556677")),
      ("03 08 00 05 69716E2E61", .name("iqn.a")), ("02 01 00 04 54455354", .vendor("TEST")),
      // A port's identifier, an NAA of a wrong length, an empty one, one that is longer than the page.
      ("61 13 00 08 5000000000000001", nil), ("01 03 00 04 50000000", nil), ("01 03 00 00", nil),
      ("01 03 00 09 5000000000000001", nil), ("01 03 00 FF", nil), ("01 03 00", nil), ("", nil),
      ("01 03 00 08 5000000000000001 01 02 00 FF 00", .naa("5000000000000001")),
    ])
  func identifiers(body: String, identifier: DeviceIdentifier?) throws {
    let data = hex("00 83 FF FF") + hex(body)
    let page = try #require(ProductDataPage(data, code: 0x83))
    var unit = LogicalUnitDescription(lun: LUN(rawValue: 0), inquiry: try #require(InquiryData(Self.inquiry)))
    unit.apply(page)
    #expect(unit.identifier == identifier)
  }

  @Test(
    "Block limits are nil where the page gives none or ends",
    arguments: [
      (
        "00 00 0008 00010000 00000400 00000000 00FFFFFF",
        BlockLimits(maximumTransfer: 0x10000, optimalTransfer: 0x400, maximumUnmap: 0xFFFFFF)
      ),
      ("00 00 0008 00000000 00000000 00000000 00000000", BlockLimits()),
      ("00 00 0008 00010000 000004", BlockLimits(maximumTransfer: 0x10000)), ("", BlockLimits()),
    ])
  func limits(body: String, limits: BlockLimits) {
    #expect(ProductDataPage(hex("00 B0 00 3C") + hex(body), code: 0xB0)?.blockLimits == limits)
  }

  @Test(
    "The provisioning type is read, if it is told",
    arguments: [("00 E0 02 00", UInt8(2)), ("00 E0 01 00", 1), ("00 E0 00 00", nil), ("00 E0", nil), ("", nil)])
  func provisioning(body: String, type: UInt8?) {
    #expect(ProductDataPage(hex("00 B2 00 04") + hex(body), code: 0xB2)?.provisioningType == type)
  }

  @Test(
    "READ CAPACITY (10) is read",
    arguments: [
      ("0001FFFF 00000200", 0x1FFFF as UInt64?, 512 as UInt32, 67_108_864 as UInt64?),
      ("FFFFFFFF 00000200", 0xFFFF_FFFF, 512, 1 << 41),
      ("0001FFFF 000002", nil, 0, nil), ("", nil, 0, nil),
    ])
  func capacity10(data: String, last: UInt64?, block: UInt32, size: UInt64?) {
    let capacity = CapacityData(short: hex(data))
    #expect(capacity?.lastBlock == last)
    #expect((capacity?.blockSize ?? 0) == block)
    #expect(capacity?.size == size)
    #expect(capacity.map(\.needsLongForm) == last.map { $0 == 0xFFFF_FFFF })
  }

  @Test(
    "READ CAPACITY (16) is read, with numbers that overflow as nil",
    arguments: [
      ("000000000001FFFF 00000200 00 03 80 00", 67_108_864 as UInt64?, 4096 as UInt32?, true),
      ("000000000001FFFF 00000200", 67_108_864, 512, false),
      ("000000000001FFFF 00000200 00 0F", 67_108_864, 1 << 24, false),
      ("FFFFFFFFFFFFFFFF 00000200 00 00 00", nil, 512, false), ("00FFFFFFFFFFFFFF 00000200 00 00 00", nil, 512, false),
      ("0000000000000000 FFFFFFFF 00 0F 00", 0xFFFF_FFFF, nil, false), ("000000000001FFFF 000002", nil, nil, false),
    ])
  func capacity16(data: String, size: UInt64?, physical: UInt32?, isThin: Bool) {
    let capacity = CapacityData(long: hex(data))
    #expect(capacity?.size == size)
    #expect(capacity?.physicalBlockSize == physical)
    #expect((capacity?.isThin ?? false) == isThin)
  }

  @Test(
    "REPORT LUNS is read as far as it came",
    arguments: [
      ("00000010 00000000 0000000000000000 0001000000000000", [0, 0x0001_0000_0000_0000] as [UInt64]?),
      ("FFFFFFFF 00000000 0001000000000000 00", [0x0001_0000_0000_0000]),
      ("00000008 00000000 0001000000000000 0002000000000000", [0x0001_0000_0000_0000]),
      ("00000007 00000000 0001000000000000", []), ("00000000 00000000", []), ("00000008 000000", nil), ("", nil),
    ])
  func luns(data: String, luns: [UInt64]?) {
    #expect(LUNList(hex(data))?.luns.map(\.rawValue) == luns)
  }

  @Test(
    "Target port groups are read as far as they came",
    arguments: [
      (
        "0000001C 80 8F 0001 00 00 00 01 00000001 02 8F 0002 00 00 00 01 00000002",
        [1: AccessState.optimized, 2: .standby] as [UInt16: AccessState]?
      ),
      ("FFFFFFFF 01 8F 0001 00 00 00 FF 00000001", [1: .nonOptimized]), ("00000004 00 8F 0001", [:]),
      ("00000008 07 8F 0001 00 00 00 00", [:]), ("0000000C 0F 8F 0005 00 00 00", [:]), ("0000", nil),
    ])
  func portGroups(data: String, states: [UInt16: AccessState]?) {
    #expect(TargetPortGroups(hex(data))?.states == states)
  }

  @Test("The access state is that of the group of the port that was asked")
  func access() throws {
    var unit = LogicalUnitDescription(lun: LUN(rawValue: 0), inquiry: try #require(InquiryData(Self.inquiry)))
    let groups = try #require(
      TargetPortGroups(hex("00000018 00 8F 0001 00 00 00 00 82 8F 0002 00 00 00 00")))
    unit.apply(groups)
    #expect(unit.access?.state == nil)
    unit.apply(try #require(ProductDataPage(hex("00 83 00 08 51 15 00 04 0000 0002"), code: 0x83)))
    unit.apply(groups)
    #expect(
      unit.access
        == AsymmetricAccess(isImplicit: true, isExplicit: false, portGroup: 2, state: .standby, isPreferred: true))
  }

  @Test(
    "The WP bit is in the third octet of a MODE SENSE (6) header",
    arguments: [("03 00 80 00", true as Bool?), ("03 00 10 00", false), ("03 00", nil), ("", nil)])
  func writeProtection(data: String, isProtected: Bool?) {
    #expect(hex(data).isWriteProtectedByModeHeader == isProtected)
  }

  @Test(
    "Sense data of both formats is read behind its length",
    arguments: [
      ("0012 70 00 06 00000000 0A 00000000 29 02 00 000000", SCSISense(key: 6, code: 0x29, qualifier: 2) as SCSISense?),
      ("0008 72 02 04 01 00000000", SCSISense(key: 2, code: 4, qualifier: 1)),
      ("FFFF 72 02 04 01", SCSISense(key: 2, code: 4, qualifier: 1)),
      ("0003 70 00 05", SCSISense(key: 5, code: 0, qualifier: 0)), ("0002 70 00 05", nil), ("0003 72 02 04 01", nil),
      ("0004 7F 02 04 01", nil), ("0000", nil), ("00", nil), ("", nil),
    ])
  func sense(data: String, sense: SCSISense?) {
    #expect(SCSIAnswer(status: SCSIAnswer.checkCondition, data: hex(data)).sense == sense)
    #expect(SCSIAnswer(status: SCSIAnswer.good, data: hex(data)).sense == nil)
  }

  @Test("Any octets whatever are read without a trap")
  func noise() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let data = (0..<Int.random(in: 0...64, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
      }
      let page = [data.first ?? 0, 0x83] + data
      _ = ProductDataPage(page, code: 0x83).map { ($0.designators, $0.blockLimits, $0.provisioningType) }
      _ = (InquiryData(data), CapacityData(short: data), CapacityData(long: data)?.size, LUNList(data))
      _ = (TargetPortGroups(data), SCSISense(data), data.isWriteProtectedByModeHeader)
    }
  }

  @Test(
    "Commands are encoded as the standards say",
    arguments: [
      (SCSICommand.inquiry, "12 00 00 00 FF 00"), (.inquiry(page: 0x83), "12 01 83 03 FC 00"),
      (.reportLUNs(allocation: 2056), "A0 00 00 00 00 00 00 00 08 08 00 00"),
      (.readCapacity10, "25 00 00000000 000000 00"),
      (.readCapacity16, "9E 10 0000000000000000 00000020 00 00"), (.modeSense6, "1A 00 3F 00 04 00"),
      (.reportTargetPortGroups, "A3 0A 00000000 00001000 00 00"), (.testUnitReady, "000000000000"),
      (.read(block: 0, blockSize: 512), "28 00 00000000 00 0001 00"),
      (.read(block: 0x1_0000_0000, blockSize: 4096), "88 00 0000000100000000 00000001 00 00"),
    ])
  func commands(command: SCSICommand, descriptor: String) {
    #expect(command.descriptor == hex(descriptor))
  }

  @Test(
    "A login status is found at the end of libiscsi's words only",
    arguments: [
      (
        "Failed to log in to target. Status: Authentication failure(513)",
        LoginStatus.authenticationFailure as LoginStatus?
      ),
      ("Failed to log in to target. Status: Unknown login error(99999)", nil), ("Status: ()", nil), ("(513)", nil),
      ("", nil),
    ])
  func loginStatus(message: String, status: LoginStatus?) {
    #expect(ISCSIConnection.loginStatus(in: message) == status)
  }
}
