// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("What a client is told of its logins while they run")
struct LoginNewsTests {
  private static let steps: [LoginStep] = [.connect, .create, .negotiate, .start, .end]

  private func news(of logins: Int) -> LoginNews {
    let news = LoginNews()
    for step in Self.steps { for index in 0..<logins { news.note(index, step) } }
    return news
  }

  @Test("A few steps are told one by one, and once")
  func few() {
    let news = news(of: 3)
    #expect(news.take().map(\.step) == Self.steps.flatMap { Array(repeating: $0.rawValue, count: 3) })
    #expect(news.take().isEmpty && news.takeLast().isEmpty)
    #expect(self.news(of: 1).takeLast().map(\.step) == Self.steps.map(\.rawValue))
  }

  @Test("Of many only the last of each login is told, and before the results none")
  func many() {
    let told = news(of: 64).take()
    #expect(told.map(\.index) == Array(0..<64) && told.allSatisfy { $0.step == LoginStep.end.rawValue })
    #expect(news(of: 64).takeLast().isEmpty)
  }
}
