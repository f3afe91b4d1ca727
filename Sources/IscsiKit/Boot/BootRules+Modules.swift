// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootRule {
  static let imageModules = BootRule("image-modules") { evidence in
    guard let image = evidence.image else { return [] }
    if let unusable = unusableModules(of: image, evidence.kernel) { return [unusable] }
    guard let modules = evidence.modules else { return [] }
    let present = image.modules(of: evidence.kernel)
    let needed = evidence.needs.flatMap { need in
      modules.closure(of: [need.module]).map { (module: $0, need: need) }
    }
    let missing = needed.filter { !present.contains($0.module) }
    let severe = missing.filter { !$0.need.isOptional }
    guard let worst = severe.first ?? missing.first else {
      return [Match(.ok, "the image has all modules that a boot needs")]
    }
    var lines: [String] = []
    for item in severe.isEmpty ? missing : severe {
      let reason = item.module == item.need.module ? "" : ", by way of \(item.need.module)"
      let line = "\(item.module) (\(item.need.reason)\(reason))"
      if !lines.contains(line) { lines.append(line) }
    }
    return [
      Match(
        severe.isEmpty ? .warning : .problem, "the image lacks modules, such as \(worst.module)",
        evidence: lines.sorted(),
        remedy: image.remedy("name them in \(image.moduleList)"))
    ]
  }

  /// Tells that the kernel can load none of the modules in an image: they are another kernel's, or nothing lists them.
  private static func unusableModules(of image: InitramfsImage, _ kernel: String) -> Match? {
    let kernels = image.kernels
    guard !kernel.isEmpty, !kernels.isEmpty else { return nil }
    guard kernels.contains(kernel) else {
      return Match(
        .problem, "the image has modules of kernel \(kernels.list("and")) and none of \(kernel)",
        evidence: [image.path.string], remedy: image.rebuilding(for: kernel))
    }
    guard image.listsModules(of: kernel) else {
      return Match(
        .problem, "the image has modules of kernel \(kernel) and no list of them, so that none is found",
        evidence: ["there is no lib/modules/\(kernel)/modules.dep in it"], remedy: image.rebuilding(for: kernel))
    }
    return nil
  }
}

extension InitramfsImage {
  /// Where its generator is told of modules.
  fileprivate var moduleList: String {
    switch generator {
    case .initramfsTools: "/etc/initramfs-tools/modules"
    case .dracut: "add_drivers+= of /etc/dracut.conf.d"
    case .mkinitcpio: "MODULES of /etc/mkinitcpio.conf, or take autodetect out of HOOKS"
    case nil: "the configuration of the program that makes images"
    }
  }

  /// How an image is made of a kernel's modules.
  fileprivate func rebuilding(for kernel: String) -> Finding.Remedy {
    let command = generator?.command(for: kernel) ?? "make the image anew for kernel \(kernel)"
    // Its images have no version in their names: that of the old kernel stays where the file system for them was not there.
    let isMounted =
      generator == .mkinitcpio
      ? "see that /boot is mounted, and install the kernel's package anew if it was not when the kernel was upgraded; then: "
      : ""
    return .advice(isMounted + command)
  }
}
