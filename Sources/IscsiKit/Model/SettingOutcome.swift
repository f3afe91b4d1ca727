// SPDX-License-Identifier: Apache-2.0

/// What became of one setting at one place.
public struct SettingOutcome: Hashable, Sendable {
  /// Where a setting was to be made.
  public enum Place: Hashable, Sendable {
    /// In the kernel's session.
    case session
    /// In the kernel's connection.
    case connection
    /// In a SCSI host.
    case host(HostNumber)
    /// In a SCSI device (`H:C:T:L`).
    case device(String)
  }

  /// How it ended.
  public enum Result: String, Hashable, Sendable, CaseIterable {
    /// It is as wanted now, and was not before; of a trial: it would be.
    case changed
    /// It was so already.
    case unchanged
    /// It takes effect with the next login: the kernel has it and goes by it from then on, or is told then.
    case atNextLogin
    /// It is not as wanted.
    case failed
  }

  /// The setting, as ``Timeout`` or ``IOScheduler/settingName`` has it.
  public var setting: String
  /// Where.
  public var place: Place
  /// What it was, as sysfs has it; nil if that cannot be read.
  public var old: String?
  /// What is wanted.
  public var new: String
  /// How it ended.
  public var result: Result
  /// What has to be known of it; nil for nothing.
  public var note: SettingNote?

  /// An outcome from its parts.
  public init(
    _ setting: String, _ place: Place, old: String?, new: String, _ result: Result, note: SettingNote? = nil
  ) {
    self.setting = setting
    self.place = place
    self.old = old
    self.new = new
    self.result = result
    self.note = note
  }
}

/// What has to be known of a setting that was made, or why it was not.
public enum SettingNote: Hashable, Sendable, CustomStringConvertible {
  /// The kernel took the request and ignored it, since somebody has written the session's file in sysfs by hand, which holds
  /// for the session's life; so it was written there too. The value is what had been there.
  case handWritten(String)
  /// NOP-Outs were off, and the kernel starts their timer with a login only.
  case noopsStartAtLogin
  /// The session is being recovered, and the kernel is told when it is back.
  case whenBack
  /// The session is being recovered, and the timer of this outage runs on.
  case afterOutage
  /// The kernel looks again when the interval so far, in seconds, is over.
  case afterInterval(String)
  /// NOP-Outs are off as one half of the check is zero; the kernel has zero for both.
  case noopsAreOff
  /// The kernel has this value in place of the one that it took.
  case keptByKernel(String)
  /// The driver has no reset of the host, which a deadline is for.
  case noHostReset
  /// Error handling is at work on the host, which takes no deadline meanwhile.
  case hostInRecovery
  /// This kernel has no such scheduler, or the device has none.
  case noScheduler
  /// The kernel refuses it for this reason.
  case refused(String)

  /// The word in JSON.
  public var word: String {
    switch self {
    case .handWritten: "handWritten"
    case .noopsStartAtLogin: "noopsStartAtLogin"
    case .whenBack: "whenBack"
    case .afterOutage: "afterOutage"
    case .afterInterval: "afterInterval"
    case .noopsAreOff: "noopsAreOff"
    case .keptByKernel: "keptByKernel"
    case .noHostReset: "noHostReset"
    case .hostInRecovery: "hostInRecovery"
    case .noScheduler: "noScheduler"
    case .refused: "refused"
    }
  }

  /// A sentence without its end.
  public var description: String {
    switch self {
    case .handWritten(let value):
      "recovery_tmo had been written by hand (\(value)), so that the kernel ignores requests for the life of the session; "
        + "it was written in sysfs too, as every later change will be"
    case .noopsStartAtLogin:
      "NOP-Outs were off, and the kernel begins to send them at the next login of the session at the latest"
    case .whenBack: "the session is being recovered; it takes effect when the session is back"
    case .afterOutage:
      "the session is being recovered, and the timer that runs is not changed; it takes effect with the next loss"
    case .afterInterval(let seconds): "the kernel looks at it when the interval so far (\(seconds) s) is over"
    case .noopsAreOff: "NOP-Outs are off, since one of their interval and their timeout is 0"
    case .keptByKernel(let value): "the kernel took it and still has \(value)"
    case .noHostReset: "the kernel refuses it, since this driver has no host reset that a deadline could lead to"
    case .hostInRecovery: "error handling is at work on the host, which takes no deadline meanwhile"
    case .noScheduler: "the kernel has no such I/O scheduler for this disk"
    case .refused(let reason): reason
    }
  }
}
