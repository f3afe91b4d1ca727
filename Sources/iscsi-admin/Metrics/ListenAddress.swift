// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// Where metrics are served: a place that no other machine can reach, because nobody is asked who he is.
enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
  /// A Unix socket.
  case unix(FilePath)
  /// A port of the loopback device.
  case loopback(SocketAddress)

  /// Reads `unix:/path`, `127.0.0.1:9100`, `[::1]:9100` or `localhost:9100`.
  init(_ text: String) throws(ValidationError) {
    if text.hasPrefix("unix:") {
      let path = FilePath(String(text.dropFirst(5)))
      guard path.isAbsolute, path.lastComponent != nil else {
        throw ValidationError("the path of a socket must begin with a slash: unix:/run/iscsi-admin/metrics.sock")
      }
      self = .unix(path)
      return
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count > 1, let digits = parts.last, digits.isDecimal, let port = UInt16(digits) else {
      throw ValidationError("neither unix:/path nor address:port")
    }
    let host = text.dropLast(digits.count + 1)
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    let name = isBracketed ? host.dropFirst().dropLast() : host
    guard let address = name == "localhost" ? .v4(0x7F00_0001) : IPAddress(name), address.isIPv6 == isBracketed else {
      throw ValidationError("neither unix:/path nor address:port, with IPv6 addresses in brackets")
    }
    guard address.isLoopback else {
      throw ValidationError(
        "\(address) can be reached from other machines, and nobody is asked who he is; listen on 127.0.0.1, [::1] or "
          + "a Unix socket, and put a proxy before it that asks")
    }
    self = .loopback(SocketAddress(address, port: port))
  }

  /// As it is written.
  var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .loopback(let address): address.description
    }
  }
}

/// That metrics cannot be served, or written.
struct MetricsFailure: DiagnosableError {
  /// What was to be done, fit to stand before the reason.
  let task: String
  /// Why it failed.
  let reason: Errno

  /// What failed and why.
  var description: String { "\(task) failed: \(reason)" }

  /// 28 if somebody else has the place, 13 without permission, else 1.
  var exitStatus: ExitStatus {
    switch reason {
    case .addressInUse: .busy
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: .access
    default: .failure
    }
  }

  /// What to do about it.
  var advice: String? {
    switch reason {
    case .addressInUse: "end what listens there (ss -lxtp), or choose another place"
    case .noSuchFileOrDirectory: "make its directory first"
    default: nil
    }
  }
}
