// SPDX-License-Identifier: Apache-2.0
import CNettle

extension CHAPAlgorithm {
  /// The length of a digest, and so of a CHAP_R value, in octets.
  public var digestLength: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256, .sha3: 32
    }
  }

  /// The digest of `input`: MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4) or SHA3-256 (FIPS 202), by nettle.
  public func digest(of input: [UInt8]) -> [UInt8] {
    // Each call hands nettle a context that lives through the call, the input with its own count, and an output
    // array of exactly the length that is passed along. Nettle keeps none of the pointers.
    var output = [UInt8](repeating: 0, count: digestLength)
    switch self {
    case .md5:
      var context = md5_ctx()
      unsafe nettle_md5_init(&context)
      unsafe nettle_md5_update(&context, input.count, input)
      unsafe nettle_md5_digest(&context, output.count, &output)
    case .sha1:
      var context = sha1_ctx()
      unsafe nettle_sha1_init(&context)
      unsafe nettle_sha1_update(&context, input.count, input)
      unsafe nettle_sha1_digest(&context, output.count, &output)
    case .sha256:
      var context = sha256_ctx()
      unsafe nettle_sha256_init(&context)
      unsafe nettle_sha256_update(&context, input.count, input)
      unsafe nettle_sha256_digest(&context, output.count, &output)
    case .sha3:
      var context = sha3_256_ctx()
      unsafe nettle_sha3_256_init(&context)
      unsafe nettle_sha3_256_update(&context, input.count, input)
      unsafe nettle_sha3_256_digest(&context, output.count, &output)
    }
    return output
  }
}

extension [UInt8] {
  /// Whether both arrays hold the same octets, in a time that depends on their lengths only.
  func isEqualInConstantTime(to other: [UInt8]) -> Bool {
    guard count == other.count else { return false }
    // Both arrays have `count` octets, and nettle keeps neither pointer.
    return unsafe nettle_memeql_sec(self, other, count) != 0
  }
}
