// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("What a login agrees on")
struct LoginOutcomeTests {
  /// One key: what we are set to, what the target answers (nil is nothing), and what holds then.
  struct Case: Sendable, CustomTestStringConvertible {
    var set: @Sendable (inout OperationalParameters) -> Void
    var answer: String?
    var value: @Sendable (NegotiatedParameters) -> String
    var result: String
    var testDescription: String { "\(answer ?? "no answer") gives \(result)" }

    init(
      _ set: @escaping @Sendable (inout OperationalParameters) -> Void, _ answer: String?,
      _ value: @escaping @Sendable (NegotiatedParameters) -> String, _ result: String
    ) {
      self.set = set
      self.answer = answer
      self.value = value
      self.result = result
    }
  }

  static let digests: [Case] = [
    Case({ $0.headerDigest = [.crc32c, .none] }, "HeaderDigest=CRC32C", { "\($0.headerDigest)" }, "CRC32C"),
    Case({ $0.headerDigest = [.crc32c, .none] }, "HeaderDigest=None", { "\($0.headerDigest)" }, "None"),
    Case({ $0.headerDigest = [.crc32c, .none] }, "HeaderDigest=Reject", { "\($0.headerDigest)" }, "None"),
    Case({ $0.dataDigest = [.none, .crc32c] }, "DataDigest=CRC32C", { "\($0.dataDigest)" }, "CRC32C"),
    Case({ $0.dataDigest = [.crc32c, .none] }, nil, { "\($0.dataDigest)" }, "None"),
  ]

  static let bursts: [Case] = [
    Case({ $0.maxBurstLength = 65_536 }, "MaxBurstLength=262144", { "\($0.maxBurstLength)" }, "65536"),
    Case({ _ in }, "MaxBurstLength=0x10000", { "\($0.maxBurstLength)" }, "65536"),
    Case({ _ in }, nil, { "\($0.maxBurstLength)" }, "262144"),
    Case({ _ in }, "MaxBurstLength=Reject", { "\($0.maxBurstLength)" }, "262144"),
    Case({ _ in }, "FirstBurstLength=4096", { "\($0.firstBurstLength)" }, "4096"),
    Case({ _ in }, "FirstBurstLength=Irrelevant", { "\($0.firstBurstLength)" }, "65536"),
    Case({ $0.maxBurstLength = 1024 }, "FirstBurstLength=65536", { "\($0.firstBurstLength)" }, "1024"),
    Case({ _ in }, "MaxBurstLength=1024", { "\($0.firstBurstLength)" }, "1024"),
    Case(
      { $0.maxXmitDataSegmentLength = 65_536 }, "MaxRecvDataSegmentLength=4096", { "\($0.maxXmitDataSegmentLength)" },
      "4096"),
    Case({ _ in }, "MaxRecvDataSegmentLength=65536", { "\($0.maxXmitDataSegmentLength)" }, "65536"),
    Case({ _ in }, nil, { "\($0.maxXmitDataSegmentLength)" }, "8192"),
    Case(
      { $0.maxXmitDataSegmentLength = 4096 }, "MaxRecvDataSegmentLength=65536", { "\($0.maxXmitDataSegmentLength)" },
      "4096"),
    Case(
      { $0.maxRecvDataSegmentLength = 4096 }, "MaxRecvDataSegmentLength=512", { "\($0.maxRecvDataSegmentLength)" },
      "4096"),
  ]

  static let others: [Case] = [
    Case({ $0.initialR2T = false }, "InitialR2T=Yes", { "\($0.initialR2T)" }, "true"),
    Case({ $0.initialR2T = false }, "InitialR2T=No", { "\($0.initialR2T)" }, "false"),
    Case({ $0.initialR2T = true }, nil, { "\($0.initialR2T)" }, "true"),
    Case({ $0.initialR2T = true }, "InitialR2T=No", { "\($0.initialR2T)" }, "true"),
    Case({ $0.immediateData = false }, nil, { "\($0.immediateData)" }, "false"),
    Case({ $0.immediateData = true }, "ImmediateData=No", { "\($0.immediateData)" }, "false"),
    Case({ $0.immediateData = false }, "ImmediateData=Yes", { "\($0.immediateData)" }, "false"),
    Case({ $0.defaultTime2Wait = 2 }, "DefaultTime2Wait=20", { "\($0.defaultTime2Wait)" }, "20"),
    Case({ $0.defaultTime2Wait = 9 }, "DefaultTime2Wait=0", { "\($0.defaultTime2Wait)" }, "9"),
    Case({ $0.defaultTime2Retain = 60 }, "DefaultTime2Retain=20", { "\($0.defaultTime2Retain)" }, "20"),
    Case({ $0.maxOutstandingR2T = 8 }, "MaxOutstandingR2T=4", { "\($0.maxOutstandingR2T)" }, "4"),
    Case({ $0.maxOutstandingR2T = 8 }, "MaxOutstandingR2T=NotUnderstood", { "\($0.maxOutstandingR2T)" }, "1"),
    Case({ _ in }, "MaxConnections=8", { "\($0.maxConnections)" }, "1"),
    Case({ _ in }, "ErrorRecoveryLevel=2", { "\($0.errorRecoveryLevel)" }, "0"),
    Case({ _ in }, "DataPDUInOrder=No", { "\($0.dataPDUInOrder)" }, "true"),
    Case({ _ in }, "DataSequenceInOrder=No", { "\($0.dataSequenceInOrder)" }, "true"),
  ]

  @Test("Every key has its result", arguments: digests + bursts + others)
  func outcome(of item: Case) throws {
    var configuration = try Conversation.configuration()
    item.set(&configuration.operational)
    var login = try Conversation(configuration)
    #expect(item.value(try login.finish(item.answer.map { [$0] } ?? []).negotiated) == item.result)
  }

  @Test("FirstBurstLength is offered as no more than MaxBurstLength")
  func firstBurstOffer() throws {
    var configuration = try Conversation.configuration()
    configuration.operational.maxBurstLength = 65_536
    #expect(try Conversation(configuration).sentValue(.firstBurstLength) == "65536")
  }
}
