// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Secrets among the parameters of a boot")
struct BootSecretsTests {
  @Test(
    "A secret in what cannot be understood is one, and what others have before their @ is none",
    arguments: [
      ("rd.iscsi.pasword=wonderland12", true), ("iscsi_in_passwd=wonderland12", true),
      ("ISCSI_PASSWORD=wonderland12", true),
      ("rd.iscsi.password=wonderland12\u{1}", true), ("rd.iscsi.password=", false), ("rd.iscsi.pasword", false),
      ("rd.iscsi.username=alice", false), ("rd.luks.password=x", false),
      ("netroot=iscsi:alice:wonderland12@10.0.0.1", true),
      ("netroot=iscis:alice:wonderland12@10.0.0.1:::1:iqn.x", true),
      ("root=alice:wonderland12@10.0.0.1:::1:iqn.2026-11.org.example:disk", true),
      ("iscsiroot=alice:wonderland12:x@10.0.0.1", true),
      ("netroot=iscsi:@10.0.0.1:::1:iqn.2026-11.org.example:disk", false),
      ("root=nfs:10.0.0.1:/srv/@root", false), ("root=zfs:pool/root@today", false), ("root=LABEL=a@b", false),
      ("rd.iscsi.param=node.session.auth.pasword=wonderland12", true),
      ("rd.iscsi.parm=node.session.auth.password=x", true),
      ("rd.iscsi.param=node.session.auth.usernam=x", false), ("rd.iscsi.param=node.session.auth.password=", false),
    ])
  func secretsBetween(word: String, isSecret: Bool) {
    let names = isSecret ? [String(word.prefix { $0 != "=" })] : []
    #expect(BootParameters.namesOfSecrets(in: KernelCommandLine("quiet \(word) ro")) == names)
  }

  @Test(
    "So it is in the file",
    arguments: [
      ("ISCSI_PASWORD=wonderland12", true), ("ISCSI_IN_PASSWD=wonderland12", true),
      ("ISCI_PASSWORD=wonderland12", true),
      ("# a comment\r\nISCSI_PASSWORD=\"wonder$land\"\r\n", true), ("ISCSI_IP=dhcp; ISCSI_PASSWORD=`x`", true),
      ("ISCSI_PASSWORD=", false), ("ISCSI_PASSWORD=\r\n", false), ("ISCSI_USERNAME=$x", false), ("PASSWORD=x", false),
      ("ISCSI_PARAM='a node.session.auth.password=x'", true), ("ISCSI_PARAM='a node.session.auth.username=x'", false),
    ])
  func secretsInFile(text: String, isSecret: Bool) {
    #expect(BootParameters.holdsSecret(inFile: text) == isSecret)
  }
}
