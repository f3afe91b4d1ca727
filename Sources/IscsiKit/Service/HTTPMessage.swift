// SPDX-License-Identifier: Apache-2.0

/// A status of HTTP that is answered here (RFC 9110, section 15).
package enum HTTPStatus: Int, Hashable, Sendable {
  /// 200.
  case ok = 200
  /// 400: this is no request.
  case badRequest = 400
  /// 404: there is nothing of this name.
  case notFound = 404
  /// 405: only GET and HEAD are answered.
  case methodNotAllowed = 405
  /// 408: the request did not come to its end in time.
  case requestTimeout = 408
  /// 431: the request is too long.
  case requestTooLong = 431
  /// 500: there is no answer.
  case internalError = 500
  /// 503: there are too many clients.
  case unavailable = 503
  /// 505: another version than HTTP/1.
  case versionNotSupported = 505

  /// The words behind the number.
  var reason: String {
    switch self {
    case .ok: "OK"
    case .badRequest: "Bad Request"
    case .notFound: "Not Found"
    case .methodNotAllowed: "Method Not Allowed"
    case .requestTimeout: "Request Timeout"
    case .requestTooLong: "Request Header Fields Too Large"
    case .internalError: "Internal Server Error"
    case .unavailable: "Service Unavailable"
    case .versionNotSupported: "HTTP Version Not Supported"
    }
  }
}

/// The head of a request by HTTP/1 (RFC 9112), as far as a reader of one document matters: no body is ever taken.
package struct HTTPRequest: Hashable, Sendable {
  /// Whether only the head of the answer is wanted.
  package let isHead: Bool
  /// The path, without a query.
  package let path: String
  /// The media types that the client understands (Accept), as it wrote them; empty if it did not.
  package let accepted: String

  /// How far a request has come.
  enum Reading: Hashable, Sendable {
    /// More octets are needed.
    case incomplete
    /// It is whole.
    case whole(HTTPRequest)
    /// It will not be answered otherwise than by this status.
    case refused(HTTPStatus)
  }

  /// The most octets of a head.
  static let sizeLimit = 8192

  /// Reads what has come of a request.
  static func read(_ octets: [UInt8]) -> Reading {
    guard let end = endOfHead(in: octets) else {
      return octets.count < sizeLimit ? .incomplete : .refused(.requestTooLong)
    }
    guard end <= sizeLimit else { return .refused(.requestTooLong) }
    let lines = octets[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
    let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2].hasPrefix("HTTP/"), !words[1].isEmpty else { return .refused(.badRequest) }
    guard words[2].hasPrefix("HTTP/1.") else { return .refused(.versionNotSupported) }
    guard words[0] == "GET" || words[0] == "HEAD" else { return .refused(.methodNotAllowed) }
    var accepted: [String] = []
    for line in lines.dropFirst() where !line.isEmpty {
      guard let colon = line.firstIndex(of: ":") else { return .refused(.badRequest) }
      if line[..<colon].lowercased() == "accept" {
        accepted.append(String(line[line.index(after: colon)...].drop { $0 == " " }))
      }
    }
    let path = words[1].prefix { $0 != "?" }
    return .whole(
      HTTPRequest(isHead: words[0] == "HEAD", path: String(path), accepted: accepted.joined(separator: ",")))
  }

  /// Where the empty line begins that ends the head; a line may end without its carriage return.
  private static func endOfHead(in octets: [UInt8]) -> Int? {
    var lineStart = 0
    for (index, octet) in octets.enumerated() where octet == UInt8(ascii: "\n") {
      let line = octets[lineStart..<index]
      if lineStart > 0, line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) { return lineStart }
      lineStart = index + 1
    }
    return nil
  }
}

/// The answer to a request.
package struct HTTPResponse: Hashable, Sendable {
  /// How it went.
  package let status: HTTPStatus
  /// The media type of the body.
  package let mediaType: String
  /// The document.
  package let body: String

  /// A document.
  package init(_ body: String, mediaType: String) {
    status = .ok
    self.mediaType = mediaType
    self.body = body
  }

  /// No document, and why.
  package init(_ status: HTTPStatus, _ reason: String? = nil) {
    self.status = status
    mediaType = "text/plain; charset=utf-8"
    body = (reason ?? status.reason) + "\n"
  }

  /// The octets of the answer, which is the last one on its connection.
  func octets(isHead: Bool = false) -> [UInt8] {
    var head = "HTTP/1.1 \(status.rawValue) \(status.reason)\r\n"
    head += "Content-Type: \(mediaType)\r\nContent-Length: \(body.utf8.count)\r\n"
    if status == .methodNotAllowed { head += "Allow: GET, HEAD\r\n" }
    head += "Connection: close\r\n\r\n"
    return Array(head.utf8) + (isHead ? [] : Array(body.utf8))
  }
}
