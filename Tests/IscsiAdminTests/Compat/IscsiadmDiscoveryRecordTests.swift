// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

/// What `iscsiadm` says of the records of discoveries, which ask nobody here, as in ``IscsiadmRecordTests``.
@Suite("iscsiadm and the records of discoveries")
struct IscsiadmDiscoveryRecordTests {
  @Test("The record of a discovery is made, changed and removed")
  func discoveries() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m discovery
      = 21
      $ -m discovery -P 1
      > SENDTARGETS:
      > No targets found.
      > iSNS:
      > No targets found.
      > STATIC:
      > No targets found.
      > FIRMWARE:
      > No targets found.
      = 21
      $ -m discovery -t st
      ! iscsiadm: Please specify portal as <ipaddr>[:<ipport>]
      = 7
      $ -m discoverydb -p 10.0.0.1
      ! iscsiadm: Invalid command. Portal not needed or Possibly missing discovery --type.
      = 7
      $ -m discovery -p 10.0.0.1
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found!
      = 7
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n discovery.sendtargets.reopen_max -v 0
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n discovery.sendtargets.reopen_max -v 0
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n nosuch -v 0
      ! iscsiadm: Cannot modify nosuch. Invalid param name.
      = 7
      $ -m discoverydb -t isns -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3205] added.
      = 0
      $ -m discoverydb
      > 10.0.0.1:3260 via sendtargets
      > 10.0.0.1:3205 via isns
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      """)
  }

  @Test("Operations on a discovery's record that do not go together are refused, after it was looked for")
  func combinedOperations() async throws {
    let run = try RecordRun()
    let refused = "! iscsiadm: Operation is not supported.\n= 7"
    try await run.expect(
      """
      $ -m discoverydb -t st -p 10.0.0.1 -o update
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o apply
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o new -o delete
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update
      ! iscsiadm: Update requires name and value.
      = 7
      $ -m discoverydb -t st -p 10.0.0.1 -o show -o delete
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o update -o delete -n discovery.sendtargets.reopen_max -v 1
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o nonpersistent
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o login
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      = 0
      """)
  }

  @Test("A discovery of no type, or of one that there is not, is that of the record at its portal")
  func discoveriesOfNoType() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m discoverydb -t st -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discovery -o delete
      ! iscsiadm: Invalid operation.
      = 7
      $ -m discovery -t bogus -p 10.0.0.1 -o update
      ! iscsiadm: Operations new and update for discovery mode is not supported. Use discoverydb mode.
      = 7
      $ -m discovery -t bogus -p 10.0.0.1 -o nonpersistent
      ! iscsiadm: Invalid operation.
      = 7
      $ -m discoverydb -t bogus -p 10.0.0.1 -o show
      ! iscsiadm: Invalid command. Possibly missing discovery --type.
      = 7
      $ -m discoverydb -t bogus -o nonpersistent
      ! iscsiadm: Invalid operation. Operation not supported.
      = 7
      $ -m discoverydb -t bogus -o show
      > 10.0.0.1:3260 via sendtargets
      = 0
      $ -m discovery -p 10.0.0.1 -o delete
      = 0
      $ -m discovery -t bogus -p 10.0.0.1 -o delete
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found!
      = 7
      """)
  }
}
