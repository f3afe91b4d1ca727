// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
package import SystemPackage

/// An open directory of sysfs, from which everything below is reached by relative paths.
///
/// The descriptor pins one kernel object: when that is gone every later access fails, even if another object has taken
/// its name by then (SCSI host numbers come back). It also spares the kernel the walk from `/` for each attribute.
///
/// The functions throw only for a shortage (of descriptors, of memory), which says nothing about the object; every
/// other failure to open or read means to the caller that the thing is not there.
package struct SysfsDirectory: ~Copyable {
  /// The most that one attribute has: a page (kernel: `sysfs_kf_seq_show`).
  private static let attributeLimit = 4096
  /// More than all attributes of sessions have but the longest lists of words, and what a buffer on the stack may have.
  private static let usualLimit = 1024

  private let descriptor: CInt
  /// Whether the names were read, so that the next reading has to begin anew.
  private let wasRead = Atomic(false)

  /// Opens the directory at `path`; throws whatever `open` says, ENOENT too.
  package init(path: FilePath) throws(Errno) {
    self.init(owning: try Self.open(AT_FDCWD, path.string, O_RDONLY | O_DIRECTORY))
  }

  private init(owning descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Opens a directory below this one, through symbolic links; nil if it is not there.
  package func directory(_ path: String) throws(Errno) -> SysfsDirectory? {
    do {
      return SysfsDirectory(owning: try Self.open(descriptor, path, O_RDONLY | O_DIRECTORY))
    } catch {
      try Self.rethrowShortage(error)
      return nil
    }
  }

  /// The names in this directory, unordered, without `.` and `..`; none if it is gone.
  package func names() throws(Errno) -> [String] {
    // Mostly it is listed once: a call of the system less for each of hundreds.
    if wasRead.exchange(true, ordering: .relaxed), lseek(descriptor, 0, SEEK_SET) != 0 { return [] }
    return try Self.names(in: descriptor)
  }

  private static func names(in descriptor: CInt) throws(Errno) -> [String] {
    do {
      return try DirectoryListing.names(in: descriptor)
    } catch {
      try rethrowShortage(error)
      return []
    }
  }

  /// The names in the directory at `path` below this one, unordered, without `.` and `..`; none if it is gone.
  package func names(in path: String) throws(Errno) -> [String] {
    let descriptor: CInt
    do {
      descriptor = try Self.open(self.descriptor, path, O_RDONLY | O_DIRECTORY)
    } catch {
      try Self.rethrowShortage(error)
      return []
    }
    defer { close(descriptor) }
    return try Self.names(in: descriptor)
  }

  /// Where the symbolic link at `path` points to; nil if there is none.
  package func linkTarget(_ path: String) -> String? {
    DirectoryListing.linkTarget(path, in: descriptor)
  }

  /// Whether something is at `path`.
  package func exists(_ path: String) -> Bool {
    // The string is lent to the call as a C string.
    unsafe faccessat(descriptor, path, F_OK, 0) == 0
  }

  /// An attribute's text without its line end; nil if it is not there or the kernel does not give it now (ENOTCONN
  /// for the addresses of a connection without socket).
  package func contents(_ path: String) throws(Errno) -> String? {
    let file: CInt
    do {
      file = try Self.open(descriptor, path, O_RDONLY | O_NOFOLLOW)
    } catch {
      try Self.rethrowShortage(error)
      return nil
    }
    defer { close(file) }
    do throws(Errno) {
      if let text = try Self.text(of: file, limit: Self.usualLimit) { return text }
      return try Self.text(of: file, limit: Self.attributeLimit)
    } catch {
      try Self.rethrowShortage(error)
      return nil
    }
  }

  /// The text of an open attribute, without its line end; nil if there may be more than the limit.
  private static func text(of file: CInt, limit: Int) throws(Errno) -> String? {
    var failure: Errno?
    // The buffer lives for the call only; pread writes at most its size and gives back how much that was. One call is
    // enough: sysfs gives an attribute whole, and again from its beginning.
    let text: String? = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: limit) { buffer in
      var count: Int
      repeat {
        count = unsafe pread(file, buffer.baseAddress, buffer.count, 0)
      } while count < 0 && errno == EINTR
      guard count >= 0 else {
        failure = Errno(rawValue: errno)
        return nil
      }
      guard count < limit || limit == attributeLimit else { return nil }
      var octets = unsafe UnsafeRawBufferPointer(buffer).prefix(count)
      if unsafe octets.last == UInt8(ascii: "\n") { unsafe octets = octets.dropLast() }
      return unsafe String(decoding: octets, as: UTF8.self)
    }
    if let failure { throw failure }
    return text
  }

  /// Writes `value` into an attribute that exists already; may block as long as the kernel works on it.
  package func write(_ value: String, to path: String) throws(Errno) {
    // No O_CREAT and no O_TRUNC: a wrong path must fail, not make a file.
    let file = try Self.open(descriptor, path, O_WRONLY | O_NOFOLLOW)
    defer { close(file) }
    let octets = Array(value.utf8)
    var count: Int
    repeat {
      // The array's storage is lent to the call, which reads no more than its count.
      count = unsafe octets.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw Errno(rawValue: errno) }
    guard count == octets.count else { throw .ioError }
  }

  private static func open(_ directory: CInt, _ path: String, _ flags: CInt) throws(Errno) -> CInt {
    while true {
      // The string is lent to the call as a C string, and not by way of an array: there are dozens of files of each session.
      let descriptor = unsafe path.withCString { unsafe openat(directory, $0, flags | O_CLOEXEC) }
      if descriptor >= 0 { return descriptor }
      let error = Errno(rawValue: errno)
      if error != .interrupted { throw error }
    }
  }

  private static func rethrowShortage(_ error: Errno) throws(Errno) {
    if [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory].contains(error) { throw error }
  }
}

extension SysfsDirectory {
  /// An attribute as text; nil also for `(null)`, which is how the kernel shows a string that was never set.
  func text(_ name: String) throws(Errno) -> String? {
    guard let text = try contents(name), let first = text.utf8.first else { return nil }
    // What begins otherwise need not be compared.
    return first == UInt8(ascii: "(") && text == "(null)" ? nil : text
  }

  /// An attribute that is padded with blanks, as INQUIRY fields are.
  func trimmedText(_ name: String) throws(Errno) -> String? {
    guard let text = try text(name) else { return nil }
    let start = text.drop { $0 == " " }
    guard let last = start.lastIndex(where: { $0 != " " }) else { return nil }
    return String(start[...last])
  }

  /// An attribute as a decimal number; nil if it is none or does not fit.
  func number<Number: FixedWidthInteger>(_ name: String) throws(Errno) -> Number? {
    try text(name).flatMap { Number($0) }
  }

  /// An attribute that is 0 or 1.
  func flag(_ name: String) throws(Errno) -> Bool? {
    switch try text(name) {
    case "0": false
    case "1": true
    default: nil
    }
  }
}
