// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Where a boot's parameters are read from.
public struct BootSources: Sendable {
  /// Before all paths; another one than `/` is for what a machine would do that is not this one.
  public var root: FilePath = "/"
  /// The kernel's command line in the place of the one of this boot, and of dracut's files.
  public var commandLine: String?

  /// Those of this boot.
  public init() {}

  /// Where Debian's initramfs and the system itself have the file of assignments; the first that is there counts.
  static let settingsFiles: [FilePath] = ["/etc/iscsi.initramfs", "/etc/iscsi/iscsi.initramfs"]
  /// Where they have the machine's name.
  static let nameFiles: [FilePath] = ["/etc/iscsi/initiatorname.iscsi", "/etc/initiatorname.iscsi"]

  /// What is asked for: by the file, before it by what images carry of a command line, and before that by what is typed at the boot.
  public func parameters() -> BootParameters {
    let line: BootParameters
    if let commandLine {
      line = BootParameters(KernelCommandLine(commandLine), place: Self.argumentPlace)
    } else {
      let typed = ["/proc/cmdline"] + files(in: "/run/initramfs/cmdline.d")
      line = Self.parameters(
        typed: lines(of: typed), carried: lines(of: files(in: "/etc/cmdline.d") + ["/etc/cmdline"]))
    }
    return line.over(settings())
  }

  /// A command line, or a part of one, and where it was read: "on the kernel's command line".
  typealias Line = (place: String, text: String)
  /// Where the command line of this boot is read, in words.
  static let kernelPlace = "on the kernel's command line"
  /// Where the one that takes its place is.
  static let argumentPlace = "in --command-line"

  private func lines(of files: [FilePath]) -> [Line] {
    files.compactMap { file in
      text(of: file).map { (file == "/proc/cmdline" ? Self.kernelPlace : "in \(file)", $0) }
    }
  }

  /// What command lines ask for. Who types a target or a network device at a boot does not want those that the image carries.
  static func parameters(typed: [Line], carried: [Line]) -> BootParameters {
    func read(_ lines: [Line]) -> BootParameters {
      var parameters = BootParameters()
      for line in lines { parameters.add(KernelCommandLine(line.text), place: line.place) }
      return parameters
    }
    // Firmware is wanted besides: on one command line both would count.
    return read(typed).over(read(carried), isFirmwareEnough: false)
  }

  /// The sysfs of the machine.
  public var sysfs: Sysfs { Sysfs(root: path("/sys")) }

  /// The file that has the machine's name as an initiator.
  public var nameFile: InitiatorNameFile {
    let found = Self.nameFiles.map(path).first { (try? FileContents(of: $0, limit: 1)) != nil }
    return InitiatorNameFile(path: found ?? path(Self.nameFiles[0]))
  }

  /// How new records are configured.
  ///
  /// - Throws: That the file is there and cannot be read.
  public func configuration() throws(DatabaseError) -> InitiatorConfiguration {
    try InitiatorConfiguration(path: path(InitiatorConfiguration.standardPath))
  }

  /// All that a plan is made from. Makes this machine's kernel look for a table of firmware, if its targets or its network are
  /// wanted.
  ///
  /// - Parameter arguments: What goes before all parameters.
  /// - Returns: The input; what cannot be read is among its problems.
  public func input(_ arguments: BootParameters = BootParameters()) -> BootPlan.Input {
    var input = BootPlan.Input(parameters: arguments.over(parameters()))
    do throws(InitiatorNameFileError) {
      input.machineName = try nameFile.read()
    } catch {
      // A name may come from elsewhere.
      if case .unreadable(_, .noSuchFileOrDirectory) = error {
      } else {
        input.parameters.lacksPermission = input.parameters.lacksPermission || error.exitStatus == .access
        input.parameters.problems.append(BootProblem(parameter: nameFile.path.string, reason: error.description))
      }
    }
    do throws(DatabaseError) { input.configuration = try configuration() } catch {
      let path = InitiatorConfiguration.standardPath.string
      input.parameters.problems.append(BootProblem(parameter: path, reason: error.description))
    }
    do throws(FirmwareError) { input.firmware = try firmwareReader(for: input, sysfs: sysfs).boots() } catch {
      // A table that cannot be read is one.
      input.parameters.isAskedFor = input.parameters.isAskedFor || input.usesFirmware
      input.parameters.problems.append(BootProblem(parameter: "firmware", reason: error.description))
    }
    return input
  }

  /// A reader of what firmware has left. Makes this machine's kernel look for a table, if that is wanted; of another root it is not known
  /// whose firmware counts.
  func firmwareReader(for input: BootPlan.Input, sysfs: Sysfs) -> FirmwareReader {
    let reader = FirmwareReader(sysfs: sysfs)
    if root == "/", input.wantsFirmwareTable { reader.loadModule() }
    return reader
  }

  private func settings() -> BootParameters {
    var settings = BootParameters()
    for file in Self.settingsFiles {
      do throws(Errno) {
        settings = BootParameters(ShellAssignments(try contents(of: file)), of: file.string)
        break
      } catch {
        guard error.isDenial else { continue }
        // It is not there for nothing.
        (settings.isAskedFor, settings.lacksPermission) = (true, true)
        settings.problems.append(BootProblem(parameter: file.string, reason: "it cannot be read: \(error)"))
        break
      }
    }
    let configuration = ["/conf/initramfs.conf"] + files(in: "/conf/conf.d", withSuffix: "")
    settings.takeConfiguration(
      configuration.compactMap { file in text(of: file).map { (file.string, $0) } })
    return settings
  }

  /// The files of a folder, in the order in which they are read.
  private func files(in folder: FilePath, withSuffix suffix: String = ".conf") -> [FilePath] {
    ((try? SysfsDirectory(path: path(folder)).names()) ?? []).filter { $0.hasSuffix(suffix) }.sorted()
      .map(folder.appending)
  }

  private func text(of file: FilePath) -> String? { try? contents(of: file) }

  private func contents(of file: FilePath) throws(Errno) -> String {
    let contents = try FileContents(of: path(file), limit: KernelCommandLine.sizeLimit)
    return String(decoding: contents.octets, as: UTF8.self)
  }

  private func path(_ path: FilePath) -> FilePath { root.appending(path.removingRoot().components) }
}

extension Errno {
  /// Whether somebody else would have been allowed to do it.
  var isDenial: Bool { self == .permissionDenied || self == .notPermitted }
}
