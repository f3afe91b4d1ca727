// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The columns of the terminal behind a descriptor; nil if it is no terminal or does not know.
package func terminalWidth(of descriptor: CInt) -> Int? {
  var size = winsize()
  // TIOCGWINSZ fills the struct, which is lent for the call.
  guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
  return Int(size.ws_col)
}
