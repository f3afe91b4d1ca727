// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootRule {
  static let imageFiles = BootRule("image-files") { evidence in
    guard let image = evidence.image else { return [] }
    let changed = evidence.files.filter { $0.isInImage && !$0.differences.isEmpty }
    let missing = evidence.files.filter { !$0.isInImage }
    var found: [Match] = []
    if !changed.isEmpty {
      found.append(
        Match(
          .warning, "the image is not made from \(changed.map(\.path).list("and")) as it is now",
          evidence: changed.flatMap(\.words), remedy: image.remedy("rebuild the image")))
    }
    // The hooks of others copy no such file, or have its values in themselves.
    if !missing.isEmpty, image.ownHook != nil {
      let isShared =
        image.generator == .dracut ? ", if it is for this machine alone (hostonly=yes, or install_items+=)" : ""
      found.append(
        Match(
          .warning, "\(missing.map(\.path).list("and")) is not in the image",
          evidence: ["what it says does not count at a boot"], remedy: image.remedy("rebuild the image\(isShared)")))
    }
    let copied = evidence.files.filter(\.isInImage).map(\.path)
    return found.isEmpty
      ? [Match(.ok, "the image has no file that differs from the machine's", evidence: copied)] : found
  }

  static let secrets = BootRule("secrets") { evidence in
    let found = evidence.exposedSecrets.map { secret in
      switch secret {
      case .file(let path):
        Match(
          .warning, "everybody on this machine can read the CHAP secret in \(path)",
          remedy: .command("chmod 600 \(path)", "leaves it to root"))
      case .image(let path):
        Match(
          .warning, "everybody on this machine can read the CHAP secret in the image", evidence: ["\(path)"],
          remedy: .advice("chmod 600 \(path)" + (evidence.image?.privacy ?? "")))
      case .commandLine(let names):
        Match(
          .warning, "everybody on this machine can read the CHAP secret on the kernel's command line",
          evidence: ["parameters with a secret: \(names.joined(separator: ", "))"],
          remedy: .advice(
            "take it out of the boot loader's configuration, write ISCSI_USERNAME= and ISCSI_PASSWORD= into "
              + "/etc/iscsi/iscsi.initramfs (chmod 600), and make the image anew"))
      }
    }
    return found.isEmpty ? [Match(.ok, "no CHAP secret of the boot was found that everybody can read")] : found
  }
}

extension BootEvidence.CopiedFile {
  /// What is different, in words without the values, which may be secrets.
  fileprivate var words: [String] {
    let names = differences.filter { !$0.isEmpty }
    return ["\(path)" + (names.isEmpty ? " is another one there" : " differs in \(names.joined(separator: ", "))")]
  }
}

extension InitramfsImage {
  /// How its generator is told to make images that only root can read.
  fileprivate var privacy: String {
    switch generator {
    case .initramfsTools: "; for later images UMASK=0077 in a file of /etc/initramfs-tools/conf.d"
    case .dracut, .mkinitcpio:
      "; later images are root's alone, unless the file system keeps no modes: then mount it with umask=0077"
    case nil: ", and for later ones as the program that makes images is told to"
    }
  }
}
