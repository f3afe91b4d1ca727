// SPDX-License-Identifier: Apache-2.0

extension LoginDescription.TimeoutsDescription {
  /// The field of a timeout of sessions, and its name; nil for one that is in records alone.
  private static func field(_ timeout: Timeout) -> (name: String, path: WritableKeyPath<Self, Int64?>)? {
    switch timeout {
    case .noopInterval: ("noopInterval", \.noopInterval)
    case .noopTimeout: ("noopTimeout", \.noopTimeout)
    case .replacement: ("replacement", \.replacement)
    case .device: ("device", \.device)
    case .abort: ("abort", \.abort)
    case .luReset: ("luReset", \.luReset)
    case .targetReset: ("targetReset", \.targetReset)
    case .deviceErrorHandling: ("deviceErrorHandling", \.deviceErrorHandling)
    case .hostErrorHandling: ("hostErrorHandling", \.hostErrorHandling)
    case .login, .logout: nil
    }
  }

  /// What is to change on a session that is up.
  ///
  /// - Parameter settings: The settings; those that only a record has are passed over, and so is the scheduler.
  public init(_ settings: TimeoutSettings) {
    self.init()
    for (timeout, value) in settings.all {
      if let field = Self.field(timeout) { self[keyPath: field.path] = value.number }
    }
  }

  /// What is to change on a session that is up, checked.
  ///
  /// - Parameter scheduler: The I/O scheduler that is wanted, by its name.
  /// - Returns: The settings.
  /// - Throws: Which field cannot be what it is.
  func settings(scheduler: String? = nil) throws(LoginDescriptionError) -> TimeoutSettings {
    var settings = TimeoutSettings()
    for timeout in Timeout.allCases {
      guard let field = Self.field(timeout), let number = self[keyPath: field.path] else { continue }
      do throws(SettingRefusal) {
        guard let value = TimeoutValue(number: number) else { throw .badValue(timeout, String(number)) }
        try settings.add(timeout, value)
      } catch {
        throw LoginDescriptionError(field: "timeouts.\(field.name)", reason: error.description)
      }
    }
    if scheduler == IOScheduler.resetWord {
      settings.resetsScheduler = true
    } else if let scheduler {
      guard let known = IOScheduler(rawValue: scheduler) else {
        throw LoginDescriptionError(field: "scheduler", reason: "\(scheduler.debugDescription) is no I/O scheduler")
      }
      settings.scheduler = known
    }
    return settings
  }
}

extension SessionSnapshot {
  /// What the kernel has for a timeout of its session or connection; nil if it does not tell, and for timeouts
  /// elsewhere.
  func value(of timeout: Timeout) -> TimeoutValue? {
    switch timeout {
    case .noopInterval: connection?.noopInterval.map { .seconds($0) }
    case .noopTimeout: connection?.noopTimeout.map { .seconds($0) }
    case .replacement: replacementTimeout.flatMap { TimeoutValue(number: $0) }
    case .abort: abortTimeout.flatMap { TimeoutValue(number: $0) }
    case .luReset: luResetTimeout.flatMap { TimeoutValue(number: $0) }
    case .targetReset: targetResetTimeout.flatMap { TimeoutValue(number: $0) }
    case .login, .logout, .device, .deviceErrorHandling, .hostErrorHandling: nil
    }
  }
}
