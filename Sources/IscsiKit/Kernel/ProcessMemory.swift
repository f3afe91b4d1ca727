// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The memory of a process that ends soon.
public enum ProcessMemory {
  /// Lets the process take its memory in large pieces, and give none of it back.
  ///
  /// Otherwise the heap of each thread grows by a page or two at a time, and each time with a call of the system that all threads
  /// wait for: a tenth of what thousands of records take. What nobody touches of a piece is no memory. Not for a process that is
  /// to last.
  public static func takeInLargePieces() { clinux_take_memory_in_large_pieces() }
}
