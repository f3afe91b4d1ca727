// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of octets without digests into PDUs. Additional header segments are skipped.
public typealias PDUAssembler = StreamAssembler<PDUFormat>

extension PDUAssembler {
  /// An assembler at the start of a PDU.
  ///
  /// - Parameter maxDataLength: The MaxRecvDataSegmentLength that we declared in octets; 8192 until then. What has more
  ///   is refused as soon as its header is there.
  public init(maxDataLength: Int = 8192) { self.init(PDUFormat(maxDataLength: maxDataLength)) }
}

/// PDUs in a stream without digests (RFC 7143, section 11.2).
public struct PDUFormat: StreamFormat {
  /// The most octets of data that a PDU may have.
  let maxDataLength: Int

  /// The next PDU.
  ///
  /// - Throws: `dataTooLong` as soon as a header announces too much, or what `PDU.init(header:data:)` throws.
  public mutating func next(from queue: inout OctetQueue) throws(PDUError) -> PDU? {
    let header = queue.pending.prefix(PDUSegmentLengths.basicHeader)
    guard header.count == PDUSegmentLengths.basicHeader else { return nil }
    let lengths = try PDUSegmentLengths(header: header, maxDataLength: maxDataLength)
    guard queue.count >= lengths.total else { return nil }
    let data = queue.pending.dropFirst(PDUSegmentLengths.basicHeader + lengths.additionalHeader).prefix(lengths.data)
    queue.removeFirst(lengths.total)
    return try PDU(header: header, data: Array(data))
  }
}
