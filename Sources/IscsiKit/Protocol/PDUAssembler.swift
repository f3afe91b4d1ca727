// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of octets without digests into PDUs (RFC 7143, section 11.2).
///
/// Feed what came, in pieces of any size, then call `next` until it gives nil. Additional header segments are skipped.
/// A stream that breaks a rule cannot be put in step again: after an error, every call gives the same error.
public struct PDUAssembler: Sendable {
  /// The most octets of data that a PDU may have.
  public let maxDataLength: Int

  private var buffer: [UInt8] = []
  /// How much of `buffer` was given out already.
  private var start = 0
  private var failure: PDUError?

  /// An assembler at the start of a PDU.
  ///
  /// - Parameter maxDataLength: The MaxRecvDataSegmentLength that we declared; 8192 octets until then.
  public init(maxDataLength: Int = 8192) { self.maxDataLength = maxDataLength }

  /// Takes octets that came.
  public mutating func feed(_ octets: some Collection<UInt8>) {
    guard failure == nil else { return }
    // What was given out is dropped in one move for many PDUs, so that a long chunk of short PDUs stays linear.
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer += octets
  }

  /// The next whole PDU, or nil until more octets come.
  ///
  /// - Throws: `dataTooLong` as soon as a header announces too much, or what `PDU.init(header:data:)` throws.
  public mutating func next() throws(PDUError) -> PDU? {
    if let failure { throw failure }
    do throws(PDUError) {
      guard let lengths = try pendingLengths(), pendingCount >= lengths.total else { return nil }
      let header = buffer[start..<start + PDUSegmentLengths.basicHeader]
      let dataStart = start + PDUSegmentLengths.basicHeader + lengths.additionalHeader
      let data = Array(buffer[dataStart..<dataStart + lengths.data])
      start += lengths.total
      return try PDU(header: header, data: data)
    } catch {
      failure = error
      buffer = []
      start = 0
      throw error
    }
  }

  private var pendingCount: Int { buffer.count - start }

  private func pendingLengths() throws(PDUError) -> PDUSegmentLengths? {
    guard pendingCount >= PDUSegmentLengths.basicHeader else { return nil }
    return try PDUSegmentLengths(
      header: buffer[start..<start + PDUSegmentLengths.basicHeader], maxDataLength: maxDataLength)
  }
}
