// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The variables of the process' environment.
public enum ProcessEnvironment {
  /// The value of a variable; nil if there is none.
  ///
  /// Foundation makes a dictionary of all of them each time, which is a sixth of the work of a short command. Nothing of ours changes the environment once there is a second thread.
  public static func value(of name: String) -> String? {
    // The text belongs to the environment and is copied at once.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
