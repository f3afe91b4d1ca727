// SPDX-License-Identifier: Apache-2.0

/// The interface of the daemon in Varlink's description language; `docs/io.iscsi-admin.Initiator.varlink` is the same.
enum InitiatorInterface {
  static let name = "io.iscsi-admin.Initiator"

  static let text = """
    # The iSCSI initiator of this machine: sessions of the kernel that a daemon logs in, supervises and logs out.
    #
    # Times are seconds since 1970, durations are seconds. A portal is a text "host:port,tag"; port and tag may be
    # missing in what is sent to the daemon. Exit codes are those of open-iscsi. Fields are only ever added: ignore what
    # you do not know.
    interface io.iscsi-admin.Initiator

    # CHAP. The algorithms are MD5, SHA1, SHA256 and SHA3-256, best first; MD5 alone if none are given.
    type Authentication (
      user: string,
      secret: string,
      mutualUser: ?string,
      mutualSecret: ?string,
      algorithms: ?[]string
    )

    # What a connection is bound to: at most one of device, hardwareAddress and sourceAddress. Sessions of different names
    # are different sessions.
    type Interface (
      name: ?string,
      device: ?string,
      hardwareAddress: ?string,
      sourceAddress: ?string
    )

    # Timeouts in seconds. A replacement timeout of -1 is for ever, 0 fails I/O at once; a NOP-Out interval or timeout of 0
    # turns that check off. loginRetryWindow is for how long a first login that fails for now is tried again. device and
    # deviceErrorHandling are the timeout and eh_timeout of each disk, as the kernel has them if they are missing, and
    # hostErrorHandling is the host's eh_deadline, -1 for none, which no login can set.
    type Timeouts (
      replacement: ?int,
      abort: ?int,
      luReset: ?int,
      targetReset: ?int,
      noopInterval: ?int,
      noopTimeout: ?int,
      login: ?int,
      loginRetryWindow: ?int,
      device: ?int,
      deviceErrorHandling: ?int,
      hostErrorHandling: ?int
    )

    # What is asked for in the negotiation (RFC 7143, section 13).
    type Parameters (
      headerDigest: ?[]string,
      dataDigest: ?[]string,
      initialR2T: ?bool,
      immediateData: ?bool,
      firstBurstLength: ?int,
      maxBurstLength: ?int,
      maxRecvDataSegmentLength: ?int,
      maxXmitDataSegmentLength: ?int,
      maxOutstandingR2T: ?int
    )

    # A login. scan is "all" or "none"; luns names the only units to make visible. recoveryLimit is how many attempts one
    # recovery may take. scheduler is none, mq-deadline, kyber or bfq, for each disk. What is missing has its default; the
    # initiator's name is that of the machine.
    type LoginRequest (
      target: string,
      portal: string,
      initiator: ?string,
      authentication: ?Authentication,
      interface: ?Interface,
      timeouts: ?Timeouts,
      parameters: ?Parameters,
      scan: ?string,
      luns: ?[]int,
      maxCommands: ?int,
      queueDepth: ?int,
      fastAbort: ?bool,
      sessionCount: ?int,
      recoveryLimit: ?int,
      scheduler: ?string
    )

    # Something that failed: a sentence, what to do about it, the exit code, and what it is about.
    type Failure (
      message: string,
      advice: ?string,
      exitCode: int,
      target: ?string,
      portal: ?string,
      session: ?int
    )

    type Device (
      address: string,
      state: ?string,
      type: ?int,
      vendor: ?string,
      model: ?string,
      revision: ?string,
      blockDevice: ?string,
      sizeBytes: ?int
    )

    type LoggedIn (
      session: int,
      host: int,
      target: string,
      portal: string,
      targetAlias: ?string,
      chapAlgorithm: ?string,
      devices: []Device
    )

    # A session, or a failure, or both if the session is up and its scan failed.
    type LoginResult (session: ?LoggedIn, failure: ?Failure)

    # A step that a login, by its place in the call, has come to.
    type LoginProgress (index: int, step: string)

    # The session is gone unless there is a failure; problems are what was passed over on the way.
    type LogoutResult (
      session: int,
      target: ?string,
      portal: ?string,
      problems: []string,
      failure: ?Failure
    )

    type RescanResult (session: int, devices: []Device, failure: ?Failure)

    # An attempt to log in that failed: the exit code of its cause, and the status by which the target refused it (RFC 7143,
    # section 11.13.5), if it did.
    type Attempt (number: int, portal: string, cause: string, time: float, exitCode: ?int, loginStatus: ?int)

    # An outage: from the loss of the connection to its recovery. network is what the network device on the way to the
    # portal suffers from. nextAttempt is missing while an attempt is under way. I/O waits until the deadline, which is since
    # and the replacementTimeout, as it was at the loss: -1 is for ever, without a deadline. Both are missing if it is not
    # known when the kernel blocked the session, as for one that no daemon has seen losing its connection. After a start of
    # the daemon the attempts before are counted roughly, and lastFailure is missing until there is another.
    type Outage (
      cause: string,
      kernelError: ?int,
      kernelErrorName: ?string,
      network: ?string,
      since: float,
      end: ?float,
      attempts: int,
      lastFailure: ?Attempt,
      nextAttempt: ?float,
      replacementTimeout: ?int,
      deadline: ?float
    )

    # Who asked for a session.
    type Owner (userID: int, processID: ?int, label: ?string, time: float)

    # phase is loggingIn, up, recovering, loggingOut or gone. network is what is wrong now with the network device on the way
    # to the portal, also of a session that is up still, and networkSince is since when that is known. silentSince is since when
    # the target of a session that is up has answered nothing, a NOP-Out included. noopsIdle is true where the kernel may send
    # no NOP-Outs before the next login although they are switched on. sessionCount is how many sessions of this target, portal
    # and interface there are to be. dueTimeouts and dueScheduler are what was set while the session was away and is to be so
    # when it is back; of the scheduler, default is what the kernel gives disks. removingSince is since when a logout waits for the
    # removal of the disks, whose data the target has to take first.
    type Recovery (
      phase: string,
      portal: string,
      recoveries: int,
      network: ?string,
      networkSince: ?float,
      silentSince: ?float,
      noopsIdle: ?bool,
      outage: ?Outage,
      lastOutage: ?Outage,
      owner: ?Owner,
      sessionCount: ?int,
      dueTimeouts: ?Timeouts,
      dueScheduler: ?string,
      removingSince: ?float
    )

    # The sessions that are in a phase, see Recovery.
    type PhaseGroup (phase: string, sessions: []int)

    # A session as the kernel shows it, and what the daemon knows of it; recovery is missing for a session that the daemon
    # does not supervise.
    type Session (
      session: int,
      target: ?string,
      portal: ?string,
      currentPortal: ?string,
      interface: ?string,
      initiator: ?string,
      transport: ?string,
      state: ?string,
      connectionState: ?string,
      targetState: ?string,
      host: ?int,
      hostState: ?string,
      timeouts: Timeouts,
      devices: []Device,
      recovery: ?Recovery
    )

    # kind is loggedIn, loginDelayed, loginFailed, adopted, lost, diagnosed, networkWell, attemptFailed, recovered, redirected,
    # moved, messageReceived, leaving, gaveUp, loggedOut, removalDelayed, removalFailed, scanFailed, settingFailed, silent,
    # answered or vanished; there may be others later. Of a target that sends message after message, one a second is told. The kind missed
    # tells that there may have been events between the last one and this which nobody can give any more, because the daemon was
    # started anew or too many came; it has neither target nor portal.
    type Event (
      sequence: int,
      time: float,
      kind: string,
      session: ?int,
      target: ?string,
      portal: ?string,
      message: string,
      kernelError: ?int,
      attempt: ?int,
      nextAttempt: ?float,
      outageSeconds: ?float
    )

    # What became of a setting at one place: session, connection, host or device. outcome is changed, unchanged, atNextLogin
    # (it takes effect with the next login, which is that of the recovery where one is under way) or failed. note is a word for
    # what has to be known of it: handWritten, noopsStartAtLogin, whenBack, afterOutage, afterInterval, noopsAreOff,
    # keptByKernel, noHostReset, hostInRecovery, noScheduler or refused; message is the same in words.
    type SetResult (
      setting: string,
      place: string,
      device: ?string,
      host: ?int,
      old: ?string,
      new: string,
      outcome: string,
      note: ?string,
      message: ?string
    )

    type Target (name: string, portals: []string, warnings: []string)
    type Refusal (text: string, reason: string)
    type Counter (name: string, value: int)

    # instance is another one after each start of the daemon. Its events are numbered from firstEvent on, which is greater than
    # the numbers of all daemons before it, unless the clock was set back; lastEvent is one less before the first.
    method Ping() -> (
      version: string,
      instance: string,
      processID: int,
      sessions: int,
      firstEvent: int,
      lastEvent: int
    )

    # Asks a portal which targets it has (SendTargets). Nothing is stored. refused has the first entries of the answer
    # that are no names or addresses of targets.
    method Discover(
      portal: string,
      initiator: ?string,
      authentication: ?Authentication,
      interface: ?Interface,
      timeout: ?int
    ) -> (targets: []Target, refused: []Refusal, refusedCount: int)

    # Logs in. With more, replies with a progress come first; of many logins the last step of each, from time to time. With
    # wait false the logins are begun, and a result has neither session nor failure if that went well; what becomes of them is
    # told by Monitor. A client that hangs up breaks off the logins that it waits for.
    method Login(logins: []LoginRequest, wait: ?bool, label: ?string) -> (results: ?[]LoginResult, progress: ?LoginProgress)

    # Logs out. A session whose disks are mounted, swap space or part of a device that is, is refused unless forced; with
    # spareHeld also one of whose disks anything is made, such as a logical volume that nobody is seen to use.
    method Logout(sessions: []int, timeout: ?int, force: ?bool, spareHeld: ?bool) -> (results: []LogoutResult)

    # Reads the devices again, revives those that error handling gave up, and scans for new ones.
    method Rescan(sessions: []int) -> (results: []RescanResult)

    # With onlyRecovery the kernel is not asked: each session that the daemon supervises has its number and recovery.
    method ListSessions(onlyRecovery: ?bool) -> (sessions: []Session)
    method GetSession(session: int) -> (session: Session)

    # Tells in which phase each session is that the daemon supervises, and no more: for programs that list hundreds.
    method ListPhases() -> (groups: []PhaseGroup)

    # The counters of a session's connection; they live as long as the session.
    method Statistics(session: int) -> (counters: []Counter)

    # Sets timeouts of a session as it lives, and timeouts and I/O scheduler of its disks and of those that later scans find;
    # login and loginRetryWindow cannot be set. A scheduler default undoes one that was set before: disks have what the kernel
    # gives them. All is read back from the kernel. With trial nothing is changed, and the results are what would become of it.
    method Set(session: int, timeouts: Timeouts, scheduler: ?string, trial: ?bool) -> (results: ?[]SetResult)

    # Tells what happens to sessions, a reply an event, from the one behind `after` on as far as they are kept; 0 is for all
    # that are. An `after` of another daemon, or of an event too long ago, is answered at once by an event of the kind missed,
    # and then by all that are kept. To be called with more.
    method Monitor(after: ?int) -> (event: Event)

    # Ends the daemon. All sessions stay in the kernel.
    method Shutdown() -> ()

    # The call as a whole failed.
    error OperationFailed (failure: Failure)
    # Only root may use the daemon.
    error PermissionDenied ()
    # There are too many clients.
    error Busy ()
    # The daemon could not say its answer.
    error Internal (reason: string)

    """
}
