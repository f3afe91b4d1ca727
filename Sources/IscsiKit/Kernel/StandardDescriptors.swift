// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// Standard input, output and error.
public enum StandardDescriptors {
  /// Puts /dev/null where one of the three is closed, so that no socket or file gets its number and is taken for it.
  ///
  /// Call it before anything is opened.
  public static func occupy() {
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) == -1 {
      // The lowest free number is the one that is missing.
      _ = try? FileDescriptor.open(FilePath("/dev/null"), .readWrite)
    }
  }
}
