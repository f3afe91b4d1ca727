// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// The calls that move octets over a non-blocking stream socket of any family.
enum StreamSocket {
  /// Takes up to `limit` octets that have come: none at the end of the stream, nil if there are none yet.
  static func receive(from descriptor: Int32, upTo limit: Int) throws(Errno) -> [UInt8]? {
    while true {
      var failure: Errno?
      let octets = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
        // The kernel writes at most `limit` octets into the array's own storage and says how many.
        let read = unsafe recv(descriptor, buffer.baseAddress, limit, 0)
        count = max(read, 0)
        if read < 0 { failure = Errno(rawValue: errno) }
      }
      switch failure {
      case nil: return octets
      case .interrupted: continue
      case .wouldBlock: return nil
      case let failure?: throw failure
      }
    }
  }

  /// Gives the kernel what it takes of `octets` at the moment, and tells how many that were.
  static func send(_ octets: ArraySlice<UInt8>, to descriptor: Int32) throws(Errno) -> Int {
    while true {
      // MSG_NOSIGNAL: a closed peer is an error of this call, not a signal to the process.
      let sent = unsafe octets.withUnsafeBytes { buffer in
        unsafe Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
      }
      guard sent < 0 else { return sent }
      switch Errno(rawValue: errno) {
      case .interrupted: continue
      case .wouldBlock: return 0
      case let failure: throw failure
      }
    }
  }
}
