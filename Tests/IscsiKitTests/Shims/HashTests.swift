// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Hashes")
struct HashTests {
  /// RFC 1321 A.5, FIPS 180 and NIST's examples of SHA-3: the empty text, "abc" and one of two blocks.
  @Test(
    "Each algorithm gives the digests of its standard",
    arguments: [
      (CHAPAlgorithm.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
      (.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
      (
        .md5, "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        "57edf4a22be3c955ac49da2e2107b67a"
      ),
      (.sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
      (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
      (
        .sha1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
      ),
      (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        .sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (.sha3, "", "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
      (.sha3, "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
      (
        .sha3, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376"
      ),
    ])
  func vectors(algorithm: CHAPAlgorithm, input: String, digest: String) {
    let octets = algorithm.digest(of: Array(input.utf8))
    #expect(octets.map(\.hexadecimal).joined() == digest)
    #expect(octets.count == algorithm.digestLength)
  }

  @Test(
    "The comparison in constant time tells equal from unequal",
    arguments: [
      ([1, 2, 3], [1, 2, 3], true), ([], [], true), ([1, 2, 3], [1, 2, 4], false), ([1, 2, 3], [0, 2, 3], false),
      ([1, 2], [1, 2, 3], false), ([], [0], false),
    ] as [([UInt8], [UInt8], Bool)])
  func comparison(left: [UInt8], right: [UInt8], equal: Bool) {
    #expect(left.isEqualInConstantTime(to: right) == equal)
  }
}
