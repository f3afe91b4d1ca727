// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization
import SystemPackage

/// An open directory, from which everything below is reached by names of one component.
///
/// No name leads out of the directory: one with a slash, `.` and `..` are refused, and symbolic links are not followed.
/// So a name that comes from a target or from a file can do no harm, whatever it is.
struct Directory: ~Copyable {
  private let descriptor: CInt
  /// Whether the names were read, so that the next reading has to begin anew.
  private let wasRead = Atomic(false)

  /// Opens the directory at a path, through symbolic links: the path is the administrator's.
  init(path: FilePath) throws(Errno) {
    self.init(owning: try Self.open(AT_FDCWD, path.string, O_RDONLY | O_DIRECTORY))
  }

  /// Opens a directory that no user but root and this process' own can change anything in: what is put there by name is
  /// what is found there by that name. A symbolic link is none.
  ///
  /// - Throws: `DirectoryRefusal`, with what the system says or why the directory is not to be trusted.
  init(trusting path: FilePath) throws(DirectoryRefusal) {
    let descriptor: CInt
    do throws(Errno) {
      descriptor = try Self.open(AT_FDCWD, path.string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch {
      throw .system(error)
    }
    if let reason = Self.distrust(of: descriptor) {
      close(descriptor)
      throw reason
    }
    self.init(owning: descriptor)
  }

  private static func distrust(of descriptor: CInt) -> DirectoryRefusal? {
    var status = stat()
    // The kernel fills the structure.
    guard unsafe fstat(descriptor, &status) == 0 else { return .system(failure) }
    guard status.st_uid == 0 || status.st_uid == geteuid() else { return .foreign(user: status.st_uid) }
    if status.st_mode & S_IWOTH != 0 { return .writableByAll }
    return status.st_mode & S_IWGRP == 0 ? nil : .writableByGroup(status.st_gid)
  }

  private init(owning descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Opens a directory in this one; `.notDirectory` also for a symbolic link.
  func directory(_ name: String) throws(Errno) -> Directory {
    Directory(owning: try Self.open(descriptor, try Self.checked(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  }

  /// Opens a directory below this one by the names on the way, with one call of the system for all; nil if that fails, also where the
  /// system has no such call. Whoever opens one after the other then learns why, or gets there.
  func directory(below path: some Collection<String>) -> Directory? {
    var text = ""
    for name in path {
      guard let name = try? Self.checked(name) else { return nil }
      if !text.isEmpty { text += "/" }
      text += name
    }
    // The string is lent to the call.
    let descriptor = unsafe clinux_open_below(descriptor, text)
    return descriptor < 0 ? nil : Directory(owning: descriptor)
  }

  /// Opens a directory in this one, through a symbolic link that the administrator has put there.
  func linkedDirectory(_ name: String) throws(Errno) -> Directory {
    Directory(owning: try Self.open(descriptor, try Self.checked(name), O_RDONLY | O_DIRECTORY))
  }

  /// Makes a directory, for its owner alone; false for one that is there, which is taken as it is.
  @discardableResult
  func makeDirectory(_ name: String) throws(Errno) -> Bool {
    // The string is lent to the call.
    if unsafe mkdirat(descriptor, try Self.checked(name), 0o700) == 0 { return true }
    guard errno == EEXIST else { throw Self.failure }
    return false
  }

  /// The names in the directory, unordered, without `.` and `..`. One that is no UTF-8 comes with other characters in it,
  /// so that it cannot be opened.
  func names() throws(Errno) -> [String] {
    // Most folders are read once: a call of the system less for each of thousands.
    if wasRead.exchange(true, ordering: .relaxed), lseek(descriptor, 0, SEEK_SET) != 0 { throw Self.failure }
    return try DirectoryListing.names(in: descriptor)
  }

  /// The octets of a file; `.fileTooLarge` for more than `limit`.
  func contents(_ name: String, limit: Int) throws(Errno) -> [UInt8] {
    // What is no file, such as a pipe, is not waited for.
    let file = FileDescriptor(
      rawValue: try Self.open(descriptor, try Self.checked(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
    defer { try? file.close() }
    let octets = try FileContents.octets(of: file, limit: limit + 1, endsShort: true)
    guard octets.count <= limit else { throw .fileTooLarge }
    return octets
  }

  /// Makes a file, readable by its owner alone; `.fileExists` if there is one.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - octets: What it has.
  ///   - isFlushed: Whether it is to be on the disk at the end.
  /// - Throws: What the system says.
  func create(_ name: String, _ octets: [UInt8], isFlushed: Bool) throws(Errno) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    let file = FileDescriptor(rawValue: try Self.open(descriptor, try Self.checked(name), flags))
    do {
      try file.closeAfter {
        _ = try file.writeAll(octets)
        if isFlushed { try Self.flush(file.rawValue) }
      }
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Returns when a file is on the disk.
  func flush(_ name: String) throws(Errno) {
    let file = try Self.open(descriptor, try Self.checked(name), O_RDONLY | O_NOFOLLOW)
    defer { close(file) }
    try Self.flush(file)
  }

  /// Gives a file of this directory another name in another one; a file that had it is replaced.
  ///
  /// - Parameters:
  ///   - name: The file.
  ///   - other: The other directory.
  ///   - newName: The other name.
  ///   - keepsPermissions: Whether the file gets the permissions of the one that it replaces.
  /// - Throws: What the system says.
  func move(
    _ name: String, to other: borrowing Directory, as newName: String, keepsPermissions: Bool = false
  ) throws(Errno) {
    let (name, newName) = (try Self.checked(name), try Self.checked(newName))
    if keepsPermissions, let mode = other.permissions(of: newName), mode != 0o600 {
      // The string is lent to the call.
      guard unsafe fchmodat(descriptor, name, mode, 0) == 0 else { throw Self.failure }
    }
    // The strings are lent to the call.
    guard unsafe renameat(descriptor, name, other.descriptor, newName) == 0 else { throw Self.failure }
  }

  /// Makes a file readable and writable by its owner alone.
  func restrict(_ name: String) throws(Errno) {
    // A link is not followed: it could lead anywhere.
    guard permissions(of: name) != nil else { throw .noSuchFileOrDirectory }
    // The string is lent to the call.
    guard unsafe fchmodat(descriptor, try Self.checked(name), 0o600, 0) == 0 else { throw Self.failure }
  }

  /// The permissions of a file; nil if there is none.
  private func permissions(of name: String) -> mode_t? {
    var status = stat()
    // The string is lent to the call, which fills the variable.
    guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG
    else { return nil }
    return status.st_mode & 0o777
  }

  /// Makes a symbolic link in the place of one that is there.
  func makeLink(_ name: String, to target: String) throws(Errno) {
    let name = try Self.checked(name)
    // The strings are lent to the calls.
    if unsafe symlinkat(target, descriptor, name) == 0 { return }
    guard errno == EEXIST else { throw Self.failure }
    if linkTarget(name) == target { return }
    try remove(name)
    guard unsafe symlinkat(target, descriptor, name) == 0 else { throw Self.failure }
  }

  /// Where a symbolic link points to; nil if there is none.
  func linkTarget(_ name: String) -> String? {
    guard let name = try? Self.checked(name) else { return nil }
    return DirectoryListing.linkTarget(name, in: descriptor)
  }

  /// Removes what is no directory.
  func remove(_ name: String) throws(Errno) {
    // The string is lent to the call.
    guard unsafe unlinkat(descriptor, try Self.checked(name), 0) == 0 else { throw Self.failure }
  }

  /// Gives a file of this directory one more name in it; false if the name is taken.
  func link(_ name: String, as other: String) throws(Errno) -> Bool {
    // The strings are lent to the call.
    if unsafe linkat(descriptor, try Self.checked(name), descriptor, try Self.checked(other), 0) == 0 { return true }
    guard errno == EEXIST else { throw Self.failure }
    return false
  }

  /// What a name leads to, without following a symbolic link; nil if there is nothing.
  func identity(of name: String) -> LockFile.Identity? {
    guard let name = try? Self.checked(name) else { return nil }
    var status = stat()
    // The string is lent to the call, which fills the structure.
    guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return LockFile.Identity(status)
  }

  /// Opens the file of a lock, which is made if it is not there.
  func openLock(_ name: String) throws(Errno) -> CInt {
    try Self.open(descriptor, try Self.checked(name), O_RDWR | O_CREAT | O_NOFOLLOW)
  }

  /// Keeps others that lock this directory out until it is closed; throws `.wouldBlock` at the deadline.
  func lock(until deadline: ContinuousClock.Instant) throws(Errno) {
    try LockFile.lock(descriptor, until: deadline)
  }

  /// Removes an empty directory.
  func removeDirectory(_ name: String) throws(Errno) {
    // The string is lent to the call.
    guard unsafe unlinkat(descriptor, try Self.checked(name), AT_REMOVEDIR) == 0 else { throw Self.failure }
  }

  /// Returns when the names in the directory are on the disk.
  func flush() throws(Errno) { try Self.flush(descriptor) }

  /// Returns when all of the directory's file system is on the disk.
  func flushFileSystem() throws(Errno) {
    guard clinux_syncfs(descriptor) == 0 else { throw Self.failure }
  }

  private static func flush(_ descriptor: CInt) throws(Errno) {
    guard fsync(descriptor) == 0 else { throw failure }
  }

  private static var failure: Errno { Errno(rawValue: errno) }

  /// A name of one component; everything else is no name.
  private static func checked(_ name: String) throws(Errno) -> String {
    var name = name
    guard !name.isEmpty, name != ".", name != ".." else { throw .invalidArgument }
    // The octets are lent to the calls, which read no more of them than there are.
    let isOne = name.withUTF8 { octets in
      guard let start = octets.baseAddress else { return false }
      return unsafe memchr(start, 0x2F, octets.count) == nil && memchr(start, 0, octets.count) == nil
    }
    guard isOne else { throw .invalidArgument }
    return name
  }

  private static func open(_ directory: CInt, _ path: String, _ flags: CInt) throws(Errno) -> CInt {
    while true {
      // The string is lent to the call; the mode counts only where a file is made.
      let descriptor = unsafe openat(directory, path, flags | O_CLOEXEC, 0o600)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw failure }
    }
  }
}

/// Why a directory is not used.
enum DirectoryRefusal: Error, Hashable, CustomStringConvertible {
  /// The system does not open it.
  case system(Errno)
  /// It belongs to a user who is neither root nor this process'.
  case foreign(user: UInt32)
  /// Every user can write to it.
  case writableByAll
  /// The users of a group, by its number, can write to it.
  case writableByGroup(UInt32)

  /// The reason in words.
  var description: String {
    switch self {
    case .system(let errno): "\(errno)"
    case .foreign(let user): "it belongs to user \(user)"
    case .writableByAll: "every user can write to it"
    case .writableByGroup(let group): "the users of group \(group) can write to it"
    }
  }

  /// How to make a directory fit for use that has more in it than can be thrown away.
  func advice(on path: FilePath) -> String? {
    switch self {
    case .system: nil
    case .foreign: "find out who made it, then: chown root \(path)"
    case .writableByAll, .writableByGroup: "find out who let them, then: chmod go-w \(path)"
    }
  }
}

/// What names there are in a directory, and where they lead.
enum DirectoryListing {
  /// Where the symbolic link of a name points to; nil if there is none.
  static func linkTarget(_ name: String, in directory: CInt) -> String? {
    // The buffer lives for the call only; readlinkat writes at most its size and gives back how much that was.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = unsafe readlinkat(directory, name, start, buffer.count)
      guard count >= 0, count < buffer.count else { return nil }
      return unsafe String(decoding: UnsafeRawBufferPointer(buffer).prefix(count), as: UTF8.self)
    }
  }

  /// The names in an open directory from where it was read to, unordered, without `.` and `..`.
  static func names(in directory: CInt) throws(Errno) -> [String] {
    var names: [String] = []
    // Most directories have a few names, for which a place on the stack is enough, and there are thousands of them.
    if try append(namesIn: directory, by: 1024, to: &names, onlyFew: true) { return names }
    _ = try append(namesIn: directory, by: 32_768, to: &names, onlyFew: false)
    return names
  }

  /// Appends the names in an open directory from where it was read to.
  ///
  /// - Parameters:
  ///   - directory: The directory.
  ///   - size: How many octets of entries are asked for at a time; the longest entry has less than 300.
  ///   - names: What is appended to.
  ///   - onlyFew: Whether to leave the rest when the entries of a time are more than half of that.
  /// - Returns: Whether these were all.
  /// - Throws: What the system says.
  private static func append(
    namesIn directory: CInt, by size: Int, to names: inout [String], onlyFew: Bool
  ) throws(Errno) -> Bool {
    var failure: Errno?
    // The buffer lives for the call only. The kernel fills at most its size with whole entries.
    let isWhole = unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
      while true {
        let count = unsafe clinux_getdents(directory, buffer.baseAddress, UInt(buffer.count))
        guard count > 0 else {
          if count < 0 { failure = Errno(rawValue: errno) }
          return true
        }
        unsafe append(UnsafeRawBufferPointer(buffer).prefix(count), to: &names)
        if onlyFew, count > size / 2 { return false }
      }
    }
    if let failure { throw failure }
    return isWhole
  }

  /// The names of entries as getdents64 gives them: after 16 octets each has its length, a type, and the name, which NUL ends
  /// and fills up.
  private static func append(_ entries: Slice<UnsafeRawBufferPointer>, to names: inout [String]) {
    var start = unsafe entries.startIndex
    let end = unsafe entries.endIndex
    while end - start > 19 {
      let length = unsafe Int(entries[start + 16]) | Int(entries[start + 17]) << 8
      guard length > 19, length <= end - start else { return }
      // The entry was found to be within what the kernel has written, and the name is within the entry.
      let octets = unsafe UnsafeRawBufferPointer(rebasing: entries[(start + 19)..<(start + length)])
      let count = unsafe textCount(of: octets)
      // Also one without a name, which no file system has.
      let isSkipped = unsafe count <= 2 && octets[..<count].allSatisfy { $0 == UInt8(ascii: ".") }
      if !isSkipped { unsafe names.append(String(decoding: octets[..<count], as: UTF8.self)) }
      start += length
    }
  }

  /// How many octets there are before the first NUL.
  private static func textCount(of octets: UnsafeRawBufferPointer) -> Int {
    // It is looked for in these octets only.
    guard let start = octets.baseAddress, let end = unsafe memchr(start, 0, octets.count) else {
      return octets.count
    }
    return unsafe UnsafeRawPointer(end) - start
  }
}
