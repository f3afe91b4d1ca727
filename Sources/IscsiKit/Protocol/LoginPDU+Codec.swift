// SPDX-License-Identifier: Apache-2.0

extension LoginRequestPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) throws(PDUError) {
    self.init(isid: fields.isid)
    transit = fields.flags(HeaderFields.final)
    isContinued = fields.flags(HeaderFields.continue)
    (currentStage, nextStage) = try fields.stages()
    versionMax = fields[2]
    versionMin = fields[3]
    tsih = fields.load(14)
    initiatorTaskTag = fields.load(16)
    connectionID = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(
      .loginRequest, isImmediate: true,
      flags: HeaderFields.flags(
        transit: transit, isContinued: isContinued, currentStage: currentStage, nextStage: nextStage))
    fields[2] = versionMax
    fields[3] = versionMin
    fields.isid = isid
    fields.store(tsih, at: 14)
    fields.store(connectionID, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    return fields
  }
}

extension LoginResponsePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) throws(PDUError) {
    self.init(isid: fields.isid)
    status = LoginStatus(rawValue: fields.load(36))
    transit = fields.flags(HeaderFields.final)
    isContinued = fields.flags(HeaderFields.continue)
    // A refusal is told whatever its stages are: they mean nothing there, and the status is what the user needs.
    if status.statusClass == 0 {
      (currentStage, nextStage) = try fields.stages()
    } else if let stages = try? fields.stages() {
      (currentStage, nextStage) = stages
    }
    versionMax = fields[2]
    versionActive = fields[3]
    tsih = fields.load(14)
    initiatorTaskTag = fields.load(16)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(
      .loginResponse,
      flags: HeaderFields.flags(
        transit: transit, isContinued: isContinued, currentStage: currentStage, nextStage: nextStage))
    fields[2] = versionMax
    fields[3] = versionActive
    fields.isid = isid
    fields.store(tsih, at: 14)
    fields.store(initiatorTaskTag, at: 16)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(status.rawValue, at: 36)
    return fields
  }
}

extension HeaderFields {
  /// Octets 8 to 13 of a Login PDU.
  fileprivate var isid: ISID {
    get { ISID(octets: [6 of UInt8] { self[8 + $0] }) }
    set {
      for index in newValue.octets.indices { self[8 + index] = newValue.octets[index] }
    }
  }

  /// Octet 1 of a Login PDU. NSG is reserved, and so zero, without T.
  fileprivate static func flags(
    transit: Bool, isContinued: Bool, currentStage: LoginStage, nextStage: LoginStage
  ) -> UInt8 {
    (transit ? final | nextStage.rawValue : 0) | (isContinued ? Self.continue : 0) | currentStage.rawValue << 2
  }

  /// CSG and NSG. NSG is reserved, and so ignored, without T.
  fileprivate func stages() throws(PDUError) -> (LoginStage, LoginStage) {
    guard let current = LoginStage(rawValue: self[1] >> 2 & 3) else { throw .reservedStage }
    guard flags(Self.final) else { return (current, .security) }
    guard let next = LoginStage(rawValue: self[1] & 3) else { throw .reservedStage }
    return (current, next)
  }
}
