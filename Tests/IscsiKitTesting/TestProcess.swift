// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

/// Other programs that tests run. Standard input and output are at `/dev/null`: what a program tells goes to a file.
///
/// Foundation's `Process` waits until everybody has closed a descriptor that other processes of the tests inherit.
public enum TestProcess {
  /// Makes a shell script that can be run at once.
  ///
  /// Another process writes it: what this one has open for writing is for a moment also open in each child that a thread of it makes,
  /// and nobody can run a file that is (`ETXTBSY`).
  ///
  /// - Parameters:
  ///   - text: The commands.
  ///   - path: Where the script is to be.
  /// - Throws: `Errno`, if no process can be made.
  public static func makeScript(_ text: String, at path: String) throws {
    let command = "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$2\" && chmod 700 \"$2\""
    _ = try run(["/bin/sh", "-c", command, "sh", text, path])
  }

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - command: The program, looked up in PATH if it has no slash, and its arguments.
  ///   - variables: What the environment has besides, as `NAME=value`.
  /// - Returns: The process' number, to be waited for.
  /// - Throws: `Errno`.
  public static func spawn(_ command: [String], adding variables: [String] = []) throws -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    // The object is initialized here and destroyed below; the texts live until free.
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
      unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    let added = unsafe variables.map { unsafe strdup($0) }
    defer { unsafe added.forEach { unsafe free($0) } }
    var inherited: [UnsafeMutablePointer<CChar>?] = unsafe []
    // The environment of the tests does not change.
    var next = unsafe environ
    while let variable = unsafe next.pointee {
      unsafe inherited.append(variable)
      unsafe next += 1
    }
    // Of two of one name programs take the first.
    var environment = unsafe added + inherited + [nil]
    var process = pid_t()
    let failure = unsafe posix_spawnp(&process, command[0], &actions, nil, &arguments, &environment)
    guard failure == 0 else { throw Errno(rawValue: failure) }
    return process
  }

  /// Runs a program to its end, which blocks, and returns its wait status.
  public static func run(_ command: [String], adding variables: [String] = []) throws -> Int32 {
    let process = try spawn(command, adding: variables)
    var status: Int32 = 0
    // The kernel fills `status`.
    guard unsafe waitpid(process, &status, 0) == process else { throw Errno(rawValue: errno) }
    return status
  }
}
