// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("What repeated discoveries tell")
struct DiscoveryNewsTests {
  private func key(_ host: String) throws -> DiscoverySchedule.Key {
    .init(DiscoveryRecord(.sendTargets, at: try PortalHost(host), port: 3260))
  }

  @Test("What lasts is told once, and again when it was over")
  func once() throws {
    var news = DiscoveryNews()
    let subject = DiscoveryNews.Subject.discovery(try key("10.0.0.1"))
    let answers = ["", "refused", "refused", "timed out", "", "", "timed out"].map { news.isNews($0, of: subject) }
    #expect(answers == [false, true, false, true, false, false, true])
    #expect(news.has(subject) && news.count == 1)
  }

  @Test("Nothing is remembered of what is no more")
  func bounded() throws {
    var news = DiscoveryNews()
    let (one, two) = (try key("10.0.0.1"), try key("10.0.0.2"))
    for round in 0..<100 {
      for key in [one, two] {
        _ = news.isNews("is gone and stays", of: .node("node \(round)", key))
        news.keep(nodes: ["node \(round)"], of: key)
      }
    }
    #expect(news.count == 2)
    _ = news.isNews("refused", of: .discovery(one))
    _ = news.isNews("locked", of: .removal(one))
    _ = news.isNews("unreadable", of: .records)
    news.forget(one)
    #expect(news.count == 2 && news.has(.records) && news.has(.node("node 99", two)))
    news.forget(.records)
    #expect(news.count == 1)
  }
}
