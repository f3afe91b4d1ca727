// SPDX-License-Identifier: Apache-2.0
import SystemPackage

extension KernelSession {
  /// Removes the session for good.
  ///
  /// - Throws: `noSession` if there is no such session any more, or else why it is still there.
  consuming func remove() async throws(OperationError.Cause) {
    guard case .failed(_, let error) = await destroy() else { return }
    throw error.isUnknownSession ? .noSession : .kernel(error)
  }
}

extension KernelError {
  /// Whether this is what the kernel says of a removal of a session that it does not have: somebody else was faster.
  var isUnknownSession: Bool {
    switch self {
    case .rejected(.destroySession, .invalidArgument, by: .interface),
      .rejected(.destroySessionAsync, .invalidArgument, by: .interface):
      true
    default: false
    }
  }
}
