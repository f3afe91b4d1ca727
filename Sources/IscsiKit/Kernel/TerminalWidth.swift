// SPDX-License-Identifier: Apache-2.0
import CLinux

/// The columns of the terminal behind a descriptor; nil if it is no terminal or does not know.
package func terminalWidth(of descriptor: CInt) -> Int? {
  let columns = clinux_terminal_columns(descriptor)
  return columns > 0 ? Int(columns) : nil
}

/// The rows of the terminal behind a descriptor; nil if it is no terminal or does not know.
package func terminalHeight(of descriptor: CInt) -> Int? {
  let rows = clinux_terminal_rows(descriptor)
  return rows > 0 ? Int(rows) : nil
}
