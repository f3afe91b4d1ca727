// SPDX-License-Identifier: Apache-2.0

/// What the commands print, to the last octet.
enum Golden {
  static let listText = """
    SID  TRANSPORT  STATE      CONN    PORTAL           TARGET                         DEVICES
      1  tcp        LOGGED_IN  up      10.0.0.1:3260,1  iqn.2026-11.org.example:disk1  sd1
      2  tcp        FAILED     failed  10.0.0.1:3260,1  iqn.2026-11.org.example:disk2  sd2
      3  tcp        FREE       failed  10.0.0.1:3260,1  iqn.2026-11.org.example:disk2  sd1,sd7
     12  tcp        FREE       -       -                -                              -

    """

  static let listTerminal = """
    SID  TRANSPORT  STATE      CONN    PORTAL           TARGET               DEVICES
      1  tcp        \u{1B}[32mLOGGED_IN\u{1B}[0m  \u{1B}[32mup\u{1B}[0m      10.0.0.1:3260,1  iqn.20…xample:disk1  sd1
      2  tcp        \u{1B}[33mFAILED\u{1B}[0m     \u{1B}[33mfailed\u{1B}[0m  10.0.0.1:3260,1  iqn.20…xample:disk2  sd2
      3  tcp        \u{1B}[31mFREE\u{1B}[0m       \u{1B}[31mfailed\u{1B}[0m  10.0.0.1:3260,1  iqn.20…xample:disk2  sd1,sd7
     12  tcp        \u{1B}[31mFREE\u{1B}[0m       -       -                -                    -

    """

  static let emptyListJSON = """
    {
      "kind" : "session-list",
      "sessions" : [

      ],
      "version" : 1
    }

    """

  static let listJSON = """
    {
      "kind" : "session-list",
      "sessions" : [
        {
          "connection" : {
            "configuredPortal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "id" : 0,
            "portal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "state" : "up"
          },
          "devices" : [
            {
              "address" : "1:0:0:1",
              "blockDevice" : "sd1",
              "lun" : 1,
              "state" : "running"
            }
          ],
          "host" : {
            "driver" : "iscsi_tcp",
            "number" : 1,
            "state" : "running"
          },
          "id" : 1,
          "interface" : "default",
          "state" : "LOGGED_IN",
          "target" : "iqn.2026-11.org.example:disk1",
          "targetPortalGroupTag" : 1,
          "targetState" : "SCANNED",
          "transport" : "tcp"
        },
        {
          "connection" : {
            "configuredPortal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "id" : 0,
            "state" : "failed"
          },
          "devices" : [
            {
              "address" : "2:0:0:1",
              "blockDevice" : "sd2",
              "lun" : 1,
              "state" : "blocked"
            }
          ],
          "host" : {
            "driver" : "iscsi_tcp",
            "number" : 2,
            "state" : "running"
          },
          "id" : 2,
          "interface" : "default",
          "state" : "FAILED",
          "target" : "iqn.2026-11.org.example:disk2",
          "targetPortalGroupTag" : 1,
          "targetState" : "SCANNED",
          "transport" : "tcp"
        },
        {
          "connection" : {
            "configuredPortal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "id" : 0,
            "state" : "failed"
          },
          "devices" : [
            {
              "address" : "3:0:0:1",
              "blockDevice" : "sd1",
              "lun" : 1,
              "state" : "transport-offline"
            },
            {
              "address" : "3:0:0:7",
              "blockDevice" : "sd7",
              "lun" : 7,
              "state" : "transport-offline"
            }
          ],
          "host" : {
            "driver" : "iscsi_tcp",
            "number" : 3,
            "state" : "running"
          },
          "id" : 3,
          "interface" : "default",
          "state" : "FREE",
          "target" : "iqn.2026-11.org.example:disk2",
          "targetPortalGroupTag" : 1,
          "targetState" : "SCANNED",
          "transport" : "tcp"
        },
        {
          "devices" : [

          ],
          "host" : {
            "driver" : "iscsi_tcp",
            "number" : 12,
            "state" : "running"
          },
          "id" : 12,
          "state" : "FREE",
          "targetState" : "ALLOCATED",
          "transport" : "tcp"
        }
      ],
      "version" : 1
    }

    """

  static let showText = """
    Session 1: iqn.2026-11.org.example:disk1
      State                       LOGGED_IN
      Connection                  up
      Portal                      10.0.0.1:3260,1
      Configured portal           10.0.0.1:3260
      Local address               10.0.0.2
      Local port                  40000
      Target state                SCANNED
      Transport                   tcp
      Initiator                   iqn.2026-11.org.example:client
      Interface                   default
      SCSI host                   1 (running)
      CHAP name                   alice

      Devices
        LUN  NAME  STATE        SIZE  TYPE        ADDRESS  MODEL
          0  -     running         -  controller  1:0:0:0  IET Controller 0001
          1  sd1   running  32.0 MiB  disk        1:0:0:1  IET VIRTUAL-DISK 0001

      Timeouts
        Replacement               120 s
        NOP-Out interval          5 s
        NOP-Out timeout           5 s
        Abort                     15 s
        LU reset                  30 s
        Target reset              30 s

      Negotiated parameters
        HeaderDigest              None
        DataDigest                None
        MaxRecvDataSegmentLength  262144
        MaxXmitDataSegmentLength  8192
        FirstBurstLength          65536
        MaxBurstLength            262144
        ImmediateData             Yes
        InitialR2T                Yes
        MaxOutstandingR2T         1
        DataPDUInOrder            Yes
        DataSequenceInOrder       Yes
        ErrorRecoveryLevel        0

    """

  static let showJSON = """
    {
      "kind" : "session-show",
      "sessions" : [
        {
          "authentication" : {
            "userName" : "alice"
          },
          "connection" : {
            "configuredPortal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "expStatSN" : 63,
            "id" : 0,
            "localPort" : 40000,
            "portal" : {
              "address" : "10.0.0.1",
              "port" : 3260
            },
            "state" : "up"
          },
          "creatorPort" : 172,
          "devices" : [
            {
              "address" : "1:0:0:1",
              "blockDevice" : "sd1",
              "lun" : 1,
              "model" : "VIRTUAL-DISK",
              "revision" : "0001",
              "sizeBytes" : 33554432,
              "state" : "running",
              "type" : 0,
              "typeName" : "disk",
              "vendor" : "IET"
            }
          ],
          "host" : {
            "address" : "10.0.0.2",
            "driver" : "iscsi_tcp",
            "number" : 1,
            "state" : "running"
          },
          "id" : 1,
          "initiator" : "iqn.2026-11.org.example:client",
          "interface" : "default",
          "negotiated" : {
            "dataDigest" : "None",
            "dataPDUInOrder" : true,
            "dataSequenceInOrder" : true,
            "errorRecoveryLevel" : 0,
            "firstBurstLengthBytes" : 65536,
            "headerDigest" : "None",
            "immediateData" : true,
            "initialR2T" : true,
            "maxBurstLengthBytes" : 262144,
            "maxOutstandingR2T" : 1,
            "maxRecvDataSegmentLengthBytes" : 262144,
            "maxXmitDataSegmentLengthBytes" : 8192
          },
          "state" : "LOGGED_IN",
          "target" : "iqn.2026-11.org.example:disk1",
          "targetPortalGroupTag" : 1,
          "targetState" : "SCANNED",
          "timeouts" : {
            "abortTimeoutSeconds" : 15,
            "luResetTimeoutSeconds" : 30,
            "noopIntervalSeconds" : 5,
            "noopTimeoutSeconds" : 5,
            "replacementTimeoutSeconds" : 120,
            "targetResetTimeoutSeconds" : 30
          },
          "transport" : "tcp"
        }
      ],
      "version" : 1
    }

    """
}
