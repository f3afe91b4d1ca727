// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit

/// The CHAP options that every command shares which logs in or discovers.
///
/// Secrets come from files, standard input or the environment, because the command line of a process is for all to
/// read.
struct AuthenticationOptions: ParsableArguments {
  @Option(help: "CHAP name to log in with.")
  var user: String?

  @Option(
    help: ArgumentHelp(
      "File whose first line is the CHAP secret; - is standard input. Else $\(Self.passwordVariable).",
      valueName: "file"),
    completion: .file())
  var passwordFile: String?

  @Option(help: ArgumentHelp("CHAP name that the target must prove (mutual CHAP).", valueName: "user"))
  var mutualUser: String?

  @Option(
    help: ArgumentHelp(
      "File whose first line is the target's CHAP secret; - is standard input. Else $\(Self.mutualPasswordVariable).",
      valueName: "file"),
    completion: .file())
  var mutualPasswordFile: String?

  @Option(
    help: ArgumentHelp(
      "CHAP digests to offer, best first: SHA3-256,SHA256,SHA1,MD5. (default: MD5)", valueName: "list"),
    completion: .list(["MD5", "SHA1", "SHA256", "SHA3-256", "SHA3-256,SHA256,SHA1,MD5"]), transform: parseAlgorithms)
  var chapAlgorithms: PreferenceList<CHAPAlgorithm>?

  /// What many try first. It is an option so that the secret behind it is not taken for something else, and shown.
  @Option(name: [.long, .customLong("mutual-password")], help: .hidden)
  var password: String?

  func validate() throws {
    guard password == nil else {
      throw ValidationError(
        "a secret on the command line is for all to read: use --password-file or $\(Self.passwordVariable), for the target's "
          + "--mutual-password-file or $\(Self.mutualPasswordVariable)")
    }
  }

  /// The names of those that are given. A secret in the environment may be meant for another program.
  var given: [String] {
    names(
      of: ("--user", user != nil), ("--password-file", passwordFile != nil), ("--mutual-user", mutualUser != nil),
      ("--mutual-password-file", mutualPasswordFile != nil), ("--chap-algorithms", chapAlgorithms != nil))
  }

  /// The environment variable of the secret.
  static let passwordVariable = "ISCSI_PASSWORD"
  /// The environment variable of the target's secret.
  static let mutualPasswordVariable = "ISCSI_MUTUAL_PASSWORD"

  /// What the options mean together with the user of a URL.
  ///
  /// A file comes before the environment; two names from option and URL are refused. `warn` gets what is allowed but
  /// unwise.
  func resolve(
    urlUser: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    warn: (String) -> Void = StandardError.warn
  ) throws(AuthenticationOptionsError) -> Authentication {
    if passwordFile == "-", mutualPasswordFile == "-" { throw .standardInputTwice }
    if let user, let urlUser, user != urlUser { throw .twoUsers }
    if let urlUser, urlUser.contains(":"), passwordFile == nil, environment[Self.passwordVariable] == nil {
      throw .colonInURL
    }
    let outgoing = try Self.credentials(
      user: user ?? urlUser, file: passwordFile, environment[Self.passwordVariable], .outgoing, warn)
    let incoming = try Self.credentials(
      user: mutualUser, file: mutualPasswordFile, environment[Self.mutualPasswordVariable], .incoming, warn)
    let authentication = Authentication(
      outgoing: outgoing, incoming: incoming, algorithms: chapAlgorithms?.words ?? [.md5])
    do throws(LoginFailure) { try authentication.validate() } catch { throw .unusable(error) }
    for warning in authentication.warnings { warn(warning.description) }
    return authentication
  }

  private static func credentials(
    user: String?, file: String?, _ variable: String?, _ direction: AuthenticationOptionsError.Direction,
    _ warn: (String) -> Void
  ) throws(AuthenticationOptionsError) -> CHAPCredentials? {
    guard let user else {
      // A secret in the environment may be meant for other targets; a file on the command line is not.
      if file != nil { throw .noUser(direction) }
      return nil
    }
    guard (1...255).contains(user.utf8.count), !user.utf8.contains(where: { $0 < 0x20 }) else {
      throw .badUser(direction)
    }
    if let file {
      let contents: SecretFile.Contents
      do { contents = try SecretFile(file).read() } catch { throw .file(error) }
      if contents.isReadableByOthers { warn(secretForAll(file)) }
      return CHAPCredentials(name: user, secret: contents.secret)
    }
    guard let variable else { throw .noSecret(direction) }
    guard let secret = Secret(variable) else { throw .badVariable(direction) }
    return CHAPCredentials(name: user, secret: secret)
  }
}

/// What a user hears whose secret is in a file that others may read.
func secretForAll(_ file: String) -> String {
  "the secret in \(file) can be read by every user of this machine; chmod 600 \(file)"
}

/// Why the options give no usable authentication.
enum AuthenticationOptionsError: DiagnosableError, Hashable {
  /// Who proves itself to whom.
  enum Direction: Hashable { case outgoing, incoming }

  /// Both secrets are to come from standard input.
  case standardInputTwice
  /// The URL and --user name different users.
  case twoUsers
  /// A secret without a name.
  case noUser(Direction)
  /// The name is empty, too long or has a control character.
  case badUser(Direction)
  /// A name without a secret.
  case noSecret(Direction)
  /// The user of the URL has a colon and there is no secret: what follows it may be meant as one.
  case colonInURL
  /// The environment's secret is empty, too long or has a line end.
  case badVariable(Direction)
  /// The file gives no secret.
  case file(SecretFileError)
  /// The options together are refused.
  case unusable(LoginFailure)

  /// The reason in words.
  var description: String {
    switch self {
    case .standardInputTwice: "both secrets are to come from standard input"
    case .twoUsers: "the URL and --user name different users"
    case .noUser(let direction): "a secret is given without a name: \(direction.userOption) is missing"
    case .badUser(let direction): "\(direction.userOption) takes 1 to 255 octets without control characters"
    case .noSecret(let direction): "there is no secret for the user (\(direction.userOption), or the URL's)"
    case .colonInURL:
      "the URL's user has a colon: a secret behind it is for all to read, and taken for a part of the name"
    case .badVariable(let direction): "$\(direction.variable) is no secret: 1 to 255 octets on one line"
    case .file(let error): error.description
    case .unusable(let reason): reason.description
    }
  }

  /// An argument is wrong, or a file cannot be read.
  var exitStatus: ExitStatus {
    if case .file(let error) = self { error.exitStatus } else { .invalidArgument }
  }

  /// What helps.
  var advice: String? {
    switch self {
    case .colonInURL: Self.noSecret(.outgoing).advice
    case .noSecret(let direction): "give it with \(direction.fileOption) FILE or in $\(direction.variable)"
    case .unusable(.incompleteCredentials): "add --user and its secret"
    case .unusable(let reason): reason.advice
    case .file(let error): error.advice
    default: nil
    }
  }
}

extension AuthenticationOptionsError.Direction {
  fileprivate var userOption: String { self == .outgoing ? "--user" : "--mutual-user" }
  fileprivate var fileOption: String { self == .outgoing ? "--password-file" : "--mutual-password-file" }
  fileprivate var variable: String {
    self == .outgoing ? AuthenticationOptions.passwordVariable : AuthenticationOptions.mutualPasswordVariable
  }
}

extension Authentication {
  /// The same as it is sent to the daemon; nil for none.
  var described: LoginDescription.AuthenticationDescription? {
    LoginDescription.AuthenticationDescription(self)
  }
}
