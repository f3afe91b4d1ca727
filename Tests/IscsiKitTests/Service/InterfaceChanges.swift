// SPDX-License-Identifier: Apache-2.0
@testable import IscsiKit

/// What a later interface breaks for programs that know an earlier one. They send what that describes, and pass over what
/// they do not know, so that fields, words, types, methods and errors may be added; a field of what they send must be one
/// that may be missing.
struct InterfaceChanges {
  /// A sentence for each thing that is broken.
  private(set) var breaks: [String] = []

  private let old: VarlinkInterface
  private let new: VarlinkInterface
  /// The types that were compared, each for what is sent and for what is received.
  private var compared: Set<String> = []

  init(from old: VarlinkInterface, to new: VarlinkInterface) {
    (self.old, self.new) = (old, new)
    if old.name != new.name { breaks.append("the interface is called \(new.name)") }
    for (name, method) in old.methods.sorted(by: { $0.key < $1.key }) {
      guard let later = new.methods[name] else {
        breaks.append("method \(name) is gone")
        continue
      }
      compare(method.input, later.input, "\(name) in", isSent: true)
      compare(method.output, later.output, "\(name) out", isSent: false)
    }
    for (name, parameters) in old.errors.sorted(by: { $0.key < $1.key }) {
      guard let later = new.errors[name] else {
        breaks.append("error \(name) is gone")
        continue
      }
      compare(parameters, later, name, isSent: false)
    }
    for name in old.types.keys.sorted() { compareNamed(name, isSent: false) }
  }

  private mutating func compare(_ old: VarlinkType, _ new: VarlinkType, _ place: String, isSent: Bool) {
    switch (old, new) {
    case (.named(let name), .named(let later)) where name == later: compareNamed(name, isSent: isSent)
    case (.structure(let fields), .structure(let later)): compare(fields, later, place, isSent: isSent)
    case (.enumeration(let words), .enumeration(let later)):
      for word in words where !later.contains(word) { breaks.append("\(place): \(word) is gone") }
    case (.optional(let old), .optional(let new)), (.array(let old), .array(let new)),
      (.dictionary(let old), .dictionary(let new)):
      compare(old, new, place, isSent: isSent)
    default: if old != new { breaks.append("\(place) is of another type") }
    }
  }

  private mutating func compare(_ old: [VarlinkField], _ new: [VarlinkField], _ place: String, isSent: Bool) {
    for field in old {
      guard let later = new.first(where: { $0.name == field.name }) else {
        breaks.append("\(place): \(field.name) is gone")
        continue
      }
      compare(field.type, later.type, "\(place): \(field.name)", isSent: isSent)
    }
    let known = Set(old.map(\.name))
    for field in new where isSent && !known.contains(field.name) {
      if case .optional = field.type { continue }
      breaks.append("\(place): \(field.name) is new, and must be there")
    }
  }

  private mutating func compareNamed(_ name: String, isSent: Bool) {
    guard compared.insert("\(name) \(isSent)").inserted, let type = old.types[name] else { return }
    guard let later = new.types[name] else { return breaks.append("type \(name) is gone") }
    compare(type, later, name, isSent: isSent)
  }
}
