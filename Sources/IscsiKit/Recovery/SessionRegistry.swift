// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
public import SystemPackage

/// Keeps what a later manager needs to take sessions over: a file for each, with its secrets, for root alone.
///
/// A file has the name `SESSION.STAGE`. What changes with each login and logout is the stage, for which a file is renamed
/// and not written again. Fields are only ever added, and unknown ones passed over: versions read each other's files.
///
/// All records are in memory too, so that nothing is read while a session is being recovered. The files belong on a file
/// system in memory: sessions do not outlive the machine either. Where nothing can be written, as in an early initramfs,
/// the records live as long as the program.
public final class SessionRegistry: Sendable {
  /// The most octets that are read of a file.
  private static let sizeLimit = 65_536

  private struct State {
    var records: [SessionID: SessionRecord] = [:]
    /// The stages in the names of the files that are there.
    var savedStages: [SessionID: SessionRecord.Stage] = [:]
    /// The records that could not be written.
    var unsaved: Set<SessionID> = []
    var failure: Errno?
  }

  private let directory: FilePath?
  private let report: @Sendable (Errno) -> Void
  private let state = Mutex(State())

  /// A registry in memory alone.
  public init() {
    directory = nil
    report = { _ in }
  }

  /// A registry with files, whose records are read now. What cannot be read is passed over.
  ///
  /// - Parameters:
  ///   - directory: Where the files are; made when the first is written.
  ///   - report: Is told why a file could not be written, once as long as the reason is the same.
  public init(directory: FilePath, report: @escaping @Sendable (Errno) -> Void = { _ in }) {
    self.directory = directory
    self.report = report
    guard let names = try? SysfsDirectory(path: directory).names() else { return }
    for name in names where name.hasPrefix(".") && name.hasSuffix(".new") {
      // What a writer that died has left, secrets among it.
      AtomicFile.remove(directory.appending(name))
    }
    state.withLock { state in
      // A later stage replaces an earlier one, which a writer that died may have left beside it.
      for stage in SessionRecord.Stage.allCases {
        for name in names where name.hasSuffix("." + stage.rawValue) {
          guard let number = UInt32(name.dropLast(stage.rawValue.utf8.count + 1)),
            name == "\(number).\(stage.rawValue)",
            let record = Self.load(directory.appending(name), SessionID(rawValue: number), stage)
          else { continue }
          if let earlier = state.savedStages[record.session] { AtomicFile.remove(path(record.session, earlier)) }
          state.records[record.session] = record
          state.savedStages[record.session] = stage
        }
      }
    }
  }

  /// Why the last file could not be written; nil if it could.
  var failure: Errno? { state.withLock(\.failure) }

  /// The record of a session.
  func read(_ session: SessionID) -> SessionRecord? { state.withLock { $0.records[session] } }

  /// Keeps a record.
  func write(_ record: SessionRecord) {
    // Before the lock: it is most of the work.
    let text = directory == nil ? nil : Self.text(of: record)
    state.withLock { state in
      state.records[record.session] = record
      save(record, text, &state)
    }
  }

  /// Changes a record, if there is one. The change may be made more than once, if somebody else changes the record meanwhile.
  func update(_ session: SessionID, _ change: (inout SessionRecord) -> Void) {
    while let old = read(session) {
      var new = old
      change(&new)
      guard new != old else { return }
      var sameContents = new
      sameContents.stage = old.stage
      let isMoveEnough = sameContents == old
      // Before the lock: when many sessions are lost at once, none has to wait for the texts of the others.
      let text = directory == nil || isMoveEnough ? nil : Self.text(of: new)
      let isDone = state.withLock { state in
        guard state.records[session] == old else { return false }
        state.records[session] = new
        if !isMoveEnough || !moveFile(of: session, to: new.stage, &state) {
          save(new, text ?? (directory == nil ? nil : Self.text(of: new)), &state)
        }
        return true
      }
      if isDone { return }
    }
  }

  /// Forgets a session.
  func remove(_ session: SessionID) {
    state.withLock { state in
      guard state.records.removeValue(forKey: session) != nil else { return }
      state.unsaved.remove(session)
      if let saved = state.savedStages.removeValue(forKey: session) { AtomicFile.remove(path(session, saved)) }
    }
  }

  /// The sessions of which there is a record.
  var sessions: [SessionID] { state.withLock { Array($0.records.keys) } }

  /// Writes what could not be written before.
  func saveAgain() {
    state.withLock { state in
      for session in state.unsaved {
        if let record = state.records[session] { save(record, Self.text(of: record), &state) }
      }
    }
  }

  private func path(_ session: SessionID, _ stage: SessionRecord.Stage) -> FilePath {
    (directory ?? "").appending("\(session).\(stage.rawValue)")
  }

  /// Tells a new stage by the name of the file, if that has what the record is but for the stage.
  private func moveFile(of session: SessionID, to stage: SessionRecord.Stage, _ state: inout State) -> Bool {
    guard !state.unsaved.contains(session), let saved = state.savedStages[session] else { return false }
    do throws(Errno) {
      try AtomicFile.move(path(session, saved), to: path(session, stage))
    } catch {
      return false
    }
    state.savedStages[session] = stage
    return true
  }

  /// Writes a record's file, and its directory with the first.
  private func save(_ record: SessionRecord, _ text: [UInt8]?, _ state: inout State) {
    guard let directory else { return }
    let session = record.session
    let saved = state.savedStages[session]
    do throws(Errno) {
      try write(text, to: path(session, record.stage), in: directory)
      state.savedStages[session] = record.stage
      state.unsaved.remove(session)
      if state.unsaved.isEmpty { state.failure = nil }
    } catch {
      state.unsaved.insert(session)
      if saved != record.stage { state.savedStages[session] = nil }
      if state.failure != error { report(error) }
      state.failure = error
    }
    // An old record that says of a session in use that its login never ended is worse than none.
    if let saved, saved != record.stage { AtomicFile.remove(path(session, saved)) }
  }

  private func write(_ text: [UInt8]?, to path: FilePath, in directory: FilePath) throws(Errno) {
    guard let text else { throw .invalidArgument }
    do throws(Errno) {
      try AtomicFile.write(text, to: path)
    } catch .noSuchFileOrDirectory {
      try AtomicFile.makeDirectory(directory)
      try AtomicFile.write(text, to: path)
    }
  }

  /// A record as it stands in a file.
  private struct File: Codable {
    var isid: String
    var home: String?
    var owner: SessionOwner?
    var login: LoginDescription
    // What another version may write in another form, which must not cost the rest of the record.
    var due: JSONValue?
    var dueScheduler: String?
    var resetsScheduler: Bool?
    var areNOPsIdle: Bool?
    var outage: JSONValue?
  }

  /// What a record's file contains; nil if that cannot be told as text.
  private static func text(of record: SessionRecord) -> [UInt8]? {
    let file = File(
      isid: record.isid.description, home: record.home?.description, owner: record.owner,
      login: LoginDescription(record.request),
      due: record.due.all.isEmpty ? nil : value(LoginDescription.TimeoutsDescription(record.due)),
      dueScheduler: record.due.scheduler?.rawValue, resetsScheduler: record.due.resetsScheduler ? true : nil,
      areNOPsIdle: record.areNOPsIdle ? true : nil, outage: record.outage.flatMap { value(KeptOutage($0)) })
    return try? JSONText.print(JSONValueEncoder().encode(file))
  }

  private static func value(_ part: some Encodable) -> JSONValue? { try? JSONValueEncoder().encode(part) }

  private static func part<Part: Decodable>(_: Part.Type, _ value: JSONValue?) -> Part? {
    value.flatMap { try? JSONValueDecoder().decode(Part.self, from: $0) }
  }

  private static func load(
    _ path: FilePath, _ session: SessionID, _ stage: SessionRecord.Stage
  ) -> SessionRecord? {
    guard let contents = try? FileContents(of: path, limit: sizeLimit, isPlain: true), !contents.isReadableByOthers,
      let file = try? JSONValueDecoder().decode(File.self, from: JSONText.parse(contents.octets)),
      let isid = ISID(hexadecimal: file.isid),
      let request = try? file.login.request(defaultInitiator: { () throws(LoginDescriptionError) in
        throw LoginDescriptionError(field: "initiator", reason: "missing")
      })
    else { return nil }
    let timeouts = part(LoginDescription.TimeoutsDescription.self, file.due)
    var due = timeouts.flatMap { try? $0.settings() } ?? TimeoutSettings()
    due.scheduler = file.dueScheduler.flatMap(IOScheduler.init)
    due.resetsScheduler = file.resetsScheduler ?? false
    return SessionRecord(
      session: session, request: request, isid: isid, stage: stage, home: file.home.flatMap { try? Portal($0) },
      due: due, areNOPsIdle: file.areNOPsIdle ?? false, outage: part(KeptOutage.self, file.outage)?.outage,
      owner: file.owner)
  }
}
