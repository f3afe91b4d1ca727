// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

extension FileDescriptor {
  /// Writes all of a text.
  ///
  /// `writeAll` does the same for any sequence; the first such call of a process has the runtime look through all conformances of
  /// the program, which is a tenth of what a short command does.
  package func writeText(_ text: String) throws {
    var text = text
    try text.withUTF8 { octets in
      var rest = UnsafeRawBufferPointer(octets)
      while unsafe !rest.isEmpty {
        // The text lends its storage to the call, which reads no more than its count and says how much that was.
        let count = try unsafe write(rest)
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      }
    }
  }
}
