// SPDX-License-Identifier: Apache-2.0

/// Timeouts, and the I/O scheduler of disks, that somebody wants; what is not among them stays as it is.
public struct TimeoutSettings: Hashable, Sendable {
  /// The timeouts.
  private(set) var timeouts: [Timeout: TimeoutValue] = [:]
  /// What orders the I/O of the disks; nil leaves it.
  public var scheduler: IOScheduler?
  /// Whether a scheduler that was wanted before is wanted no more: disks have what the kernel gives them.
  public var resetsScheduler = false

  /// None.
  public init() {}

  /// Settings that are known to be right.
  init(_ timeouts: [Timeout: TimeoutValue], scheduler: IOScheduler? = nil, resetsScheduler: Bool = false) {
    self.timeouts = timeouts
    self.scheduler = scheduler
    self.resetsScheduler = resetsScheduler
  }

  /// All names that a setting can be added by.
  static let names = Set(
    Timeout.allCases.flatMap { [$0.rawValue, $0.details.recordKey].compactMap(\.self) } + [IOScheduler.settingName])

  /// Whether nothing is wanted.
  public var isEmpty: Bool { timeouts.isEmpty && scheduler == nil && !resetsScheduler }

  /// The timeouts in the order of the chain.
  public var all: [(timeout: Timeout, value: TimeoutValue)] {
    Timeout.allCases.compactMap { timeout in timeouts[timeout].map { (timeout, $0) } }
  }

  /// What a timeout is to be; nil leaves it.
  public subscript(timeout: Timeout) -> TimeoutValue? { timeouts[timeout] }

  /// Adds a timeout.
  ///
  /// - Throws: `badValue`, `noOff`, or `repeated` for one that is there.
  public mutating func add(_ timeout: Timeout, _ value: TimeoutValue) throws(SettingRefusal) {
    try timeout.check(value)
    guard timeouts.updateValue(value, forKey: timeout) == nil else { throw .repeated(timeout.rawValue) }
  }

  /// Adds a setting by its name, or by its key in open-iscsi's records.
  ///
  /// - Parameters:
  ///   - name: As ``Timeout`` or ``IOScheduler/settingName`` has it.
  ///   - text: The value as people write it.
  /// - Throws: Why that cannot be.
  public mutating func add(_ name: String, _ text: String) throws(SettingRefusal) {
    if name == IOScheduler.settingName {
      guard let scheduler = IOScheduler(rawValue: text) else { throw .badScheduler(text) }
      guard self.scheduler == nil else { throw .repeated(name) }
      self.scheduler = scheduler
    } else {
      guard let timeout = Timeout(name: name) else { throw .unknown(name) }
      try add(timeout, try timeout.value(text))
    }
  }

  /// The word for what is wanted of the scheduler: its name, or `default` for that of the kernel; nil leaves it.
  public var schedulerWord: String? { scheduler?.rawValue ?? (resetsScheduler ? IOScheduler.resetWord : nil) }

  /// What a record has of these: keys and values as they stand in files.
  var recordValues: [String: String] {
    timeouts.reduce(into: [:]) { values, setting in
      if let key = setting.key.details.recordKey { values[key] = String(setting.value.number) }
    }
  }

  /// What the kernel's session and connection have of these.
  var inKernel: TimeoutSettings {
    TimeoutSettings(timeouts.filter { [.session, .connection].contains($0.key.details.place) })
  }

  /// These, with others in the place of those that they have too.
  func merged(with other: TimeoutSettings) -> TimeoutSettings {
    TimeoutSettings(
      timeouts.merging(other.timeouts) { $1 },
      scheduler: other.scheduler ?? (other.resetsScheduler ? nil : scheduler),
      resetsScheduler: other.scheduler == nil && (other.resetsScheduler || resetsScheduler))
  }

  /// These, but for the timeouts that others have too.
  func without(_ other: TimeoutSettings) -> TimeoutSettings {
    TimeoutSettings(
      timeouts.filter { other.timeouts[$0.key] == nil }, scheduler: scheduler, resetsScheduler: resetsScheduler)
  }

  /// What a session that is up has of these.
  var live: TimeoutSettings {
    TimeoutSettings(
      timeouts.filter { $0.key.details.isLive }, scheduler: scheduler, resetsScheduler: resetsScheduler)
  }
}

/// Settings that go together.
public enum TuningProfile: String, Hashable, Sendable, CaseIterable {
  /// What open-iscsi ships and the kernel has.
  case standard = "default"
  /// For paths of multipath, which has other paths: a dead one is found by NOP-Outs, and its I/O goes elsewhere soon.
  case multipath
  /// For the disk that the system runs from: nothing gives it up, and it waits for a day.
  case diskless

  /// What it is for, in words.
  public var summary: String {
    switch self {
    case .standard: "what open-iscsi ships and the kernel has"
    case .multipath: "paths of multipath: a dead one is found by NOP-Outs, and its I/O goes elsewhere after 5 seconds"
    case .diskless: "the disk that the system runs from: nothing gives it up, and its I/O waits for a day"
    }
  }

  /// What it sets. All profiles set the same timeouts, so that one takes the place of another; those without an I/O scheduler
  /// let go of that of another.
  public var settings: TimeoutSettings {
    switch self {
    case .standard:
      TimeoutSettings([.noopInterval: 5, .noopTimeout: 5, .replacement: 120, .device: 30], resetsScheduler: true)
    case .multipath:
      TimeoutSettings([.noopInterval: 5, .noopTimeout: 5, .replacement: 5, .device: 30], resetsScheduler: true)
    case .diskless:
      TimeoutSettings(
        [.noopInterval: 0, .noopTimeout: 0, .replacement: 86_400, .device: 90], scheduler: IOScheduler.none)
    }
  }

  /// What a udev rule has to set on each disk, as the kernel has it otherwise; nothing if the kernel has it all.
  public var deviceSettings: DeviceSettings {
    let settings = DeviceSettings(settings)
    return settings == DeviceSettings(timeout: 30) ? DeviceSettings() : settings
  }
}

/// What each disk of a session is set to, also those that come later; what is nil is as the kernel has it.
public struct DeviceSettings: Hashable, Sendable {
  /// `timeout` in seconds.
  public var timeout: UInt32?
  /// `eh_timeout` in seconds.
  public var errorHandlingTimeout: UInt32?
  /// `queue/scheduler`.
  public var scheduler: IOScheduler?

  /// Settings from their parts.
  public init(timeout: UInt32? = nil, errorHandlingTimeout: UInt32? = nil, scheduler: IOScheduler? = nil) {
    self.timeout = timeout
    self.errorHandlingTimeout = errorHandlingTimeout
    self.scheduler = scheduler
  }

  /// What some settings say of disks.
  init(_ settings: TimeoutSettings) {
    self.init(
      timeout: Self.seconds(settings[.device]), errorHandlingTimeout: Self.seconds(settings[.deviceErrorHandling]),
      scheduler: settings.scheduler)
  }

  private static func seconds(_ value: TimeoutValue?) -> UInt32? {
    if case .seconds(let seconds)? = value { seconds } else { nil }
  }

  /// The settings with their names and values, as files have them.
  var named: [(name: String, value: String)] {
    [
      (Timeout.device.rawValue, timeout.map(String.init)),
      (Timeout.deviceErrorHandling.rawValue, errorHandlingTimeout.map(String.init)),
      (IOScheduler.settingName, scheduler?.rawValue),
    ].compactMap { name, value in value.map { (name, $0) } }
  }

  /// Whether all is as the kernel has it.
  public var isEmpty: Bool { self == DeviceSettings() }

  /// These, with others in the place of those that they have too.
  func merged(with other: DeviceSettings) -> DeviceSettings {
    DeviceSettings(
      timeout: other.timeout ?? timeout, errorHandlingTimeout: other.errorHandlingTimeout ?? errorHandlingTimeout,
      scheduler: other.scheduler ?? scheduler)
  }
}

extension SessionOptions {
  /// Takes over what some settings say of a session; what is for its record or its host alone is passed over.
  mutating func take(_ settings: TimeoutSettings) {
    if settings.resetsScheduler { devices.scheduler = nil }
    devices = devices.merged(with: DeviceSettings(settings))
    for (timeout, value) in settings.all {
      switch timeout {
      case .noopInterval: timeouts.noopInterval = value.duration ?? .zero
      case .noopTimeout: timeouts.noopTimeout = value.duration ?? .zero
      case .replacement: timeouts.replacement = value.duration
      case .abort: timeouts.abort = value.duration ?? .zero
      case .luReset: timeouts.luReset = value.duration ?? .zero
      case .targetReset: timeouts.targetReset = value.duration ?? .zero
      case .login: timeouts.login = value.duration ?? timeouts.login
      case .logout, .device, .deviceErrorHandling, .hostErrorHandling: break
      }
    }
  }
}

extension TimeoutValue {
  /// The same as a duration; nil for `off`.
  fileprivate var duration: Duration? {
    if case .seconds(let seconds) = self { .seconds(Int64(seconds)) } else { nil }
  }
}
