// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("The process' environment")
struct ProcessEnvironmentTests {
  @Test("A variable has its value, and one that is not there has none")
  func values() {
    #expect(ProcessEnvironment.value(of: "PATH")?.isEmpty == false)
    #expect(ProcessEnvironment.value(of: "ISCSIKIT_HAS_NO_SUCH_VARIABLE") == nil)
  }
}
