// SPDX-License-Identifier: Apache-2.0

/// Stands in for a function of Swift's runtime in a static executable, where the linker takes this one.
///
/// Before `main`, the runtime looks for its program that prints where a process has crashed, beside the executable, whose
/// place it reads from `/proc`; where that is not mounted, as early in an initramfs, it aborts. A static executable has no
/// such program beside it. Where the runtime is a library, it goes by its own function.
///
/// - Returns: The null pointer: there is none.
@_cdecl("swift_copyAuxiliaryExecutablePath")
public func pathOfCrashReporter() -> UInt { 0 }
