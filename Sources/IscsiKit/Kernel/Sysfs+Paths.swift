// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import SystemPackage

/// Why a path names no session.
public enum SessionPathError: Error, Hashable, Sendable {
  /// Nothing is there.
  case missing
  /// It is no path in sysfs, or one of nothing that could be a session's.
  case noDevice
  /// It is in sysfs, but no session is on it.
  case noSession
}

extension Sysfs {
  /// The version of the module `scsi_transport_iscsi` (`2.0-870`); nil if it is not loaded or does not tell.
  public var transportClassVersion: String? {
    guard let module = try? SysfsDirectory(path: root.appending("module/scsi_transport_iscsi")) else { return nil }
    return (try? module.text("version")) ?? nil
  }

  /// The session that a path in sysfs belongs to: `/sys/class/iscsi_session/session1`, its device, its connection's
  /// class entry, a SCSI device or a disk below it.
  ///
  /// - Parameter path: A path that starts with `/sys/`, which stands for ``root``; links are followed.
  /// - Returns: The session's number; whether the session exists is not checked.
  /// - Throws: Why there is none.
  public func session(at path: String) throws(SessionPathError) -> SessionID {
    let isInSysfs = path.hasPrefix("/sys/")
    guard let real = Self.realPath(isInSysfs ? root.string + path.dropFirst(4) : path) else { throw .missing }
    // The directories that hold all devices and classes are no objects of the kernel themselves.
    guard isInSysfs, path.split(separator: "/").count > 2 else { throw .noDevice }
    for part in real.split(separator: "/") {
      if let number = Self.number(of: part, after: "session") { return SessionID(rawValue: number) }
    }
    throw .noSession
  }

  /// A path without links; nil if it does not exist.
  private static func realPath(_ path: String) -> String? {
    // realpath gives back memory of its own, which is freed after the text is copied out of it.
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }
}
