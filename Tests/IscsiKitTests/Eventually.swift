// SPDX-License-Identifier: Apache-2.0

/// Waits until a condition holds that nothing announces; false if it does not within a minute.
func eventually(_ condition: () -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(60)
  while !condition() {
    guard .now < end else { return false }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return true
}

/// Waits until a condition holds that others have to be asked about; false if it does not within a minute.
func eventually(_ condition: () async -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(60)
  while !(await condition()) {
    guard .now < end else { return false }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return true
}
