// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Tables of the device mapper")
struct MapperTableTests {
  @Test(
    "Whether a map queues without a path is among its features",
    arguments: [
      ("multipath 1 queue_if_no_path 0 1 1 service-time 0 1 1 8:0 1", true),
      ("multipath 3 pg_init_retries 50 queue_if_no_path 1 alua 1 1 service-time 0 1 1 8:0 1", true),
      ("multipath 0 0 1 1 service-time 0 1 1 8:0 1", false), ("multipath 1 retain_attached_hw_handler 0 0 0", false),
      ("multipath 0 queue_if_no_path", false), ("linear 8:0 0", nil), ("multipath", nil), ("multipath x", nil),
      ("multipath 9 queue_if_no_path", nil), ("multipath -1 queue_if_no_path", nil), ("", nil),
    ])
  func features(table: String, queues: Bool?) {
    #expect(MapperTable.queuesWithoutPath(parameters: table) == queues)
  }
}
