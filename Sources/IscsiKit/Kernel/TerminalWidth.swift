// SPDX-License-Identifier: Apache-2.0
import CLinux

/// The columns of the terminal behind a descriptor; nil if it is no terminal or does not know.
package func terminalWidth(of descriptor: CInt) -> Int? {
  let columns = clinux_terminal_columns(descriptor)
  return columns > 0 ? Int(columns) : nil
}
